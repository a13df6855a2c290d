// Package lmstest gives tests a database and an object store of their own, on real servers that this
// package starts when the first test needs them and stops at the end.
//
// A package that uses it has one line more:
//
//	func TestMain(m *testing.M) { lmstest.Main(m) }
//
// It imports no feature, and the product never imports it. Start reading at Main, then DB and Store.
package lmstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	folderPattern = "mopd-test-"
	stopLimit     = 30 * time.Second
)

// process is what one test process shares among its tests.
var process struct {
	mu     sync.Mutex
	main   bool   // Main runs, so that somebody stops what is started
	folder string // of everything below; made on first need
	lock   *os.File
	stops  []func(context.Context) error
}

// Main runs the tests of a package, stops the servers that they started and exits.
func Main(m *testing.M) {
	process.main = true
	code := m.Run()
	if err := stopAll(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the test servers:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func stopAll() error {
	process.mu.Lock()
	defer process.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	var errs []error
	for i := len(process.stops) - 1; i >= 0; i-- {
		errs = append(errs, process.stops[i](ctx))
	}
	if process.folder != "" {
		errs = append(errs, os.RemoveAll(process.folder), process.lock.Close())
	}
	return errors.Join(errs...)
}

// AtEnd has Main call stop after the tests.
func AtEnd(stop func(context.Context) error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	process.stops = append(process.stops, stop)
}

// newFolder is a folder for one server, removed at the end. Another user, who runs Postgres for root,
// may pass to it.
func newFolder(name string) (string, error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	if !process.main {
		return "", errors.New("this package needs: func TestMain(m *testing.M) { lmstest.Main(m) }")
	}
	if process.folder == "" {
		if err := makeFolder(); err != nil {
			return "", fmt.Errorf("make a folder for test servers: %w", err)
		}
	}
	return filepath.Join(process.folder, name), nil
}

func makeFolder() error {
	if err := removeAbandoned(os.TempDir(), time.Now()); err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", folderPattern)
	if err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o711); err != nil {
		return err
	}
	lock, err := os.Open(folder)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return errors.Join(err, lock.Close())
	}
	process.folder, process.lock = folder, lock
	return nil
}

// removeAbandoned removes the folders of test processes that were killed: they hold no lock any more.
// A folder that was just made is left alone, since its process may not have come to lock it.
func removeAbandoned(parent string, now time.Time) error {
	folders, err := filepath.Glob(filepath.Join(parent, folderPattern+"*"))
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if err := removeIfAbandoned(folder, now); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("remove an abandoned test folder: %w", err)
		}
	}
	return nil
}

func removeIfAbandoned(folder string, now time.Time) (err error) {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if now.Sub(info.ModTime()) < time.Minute {
		return nil
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(folder)
}
