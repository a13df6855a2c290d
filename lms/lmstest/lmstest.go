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
	mu      sync.Mutex
	main    bool                // Main runs, so that somebody stops what is started
	folders map[string]*os.File // by their path, each with its lock; made on first need
	stops   []func(context.Context) error
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
	for folder, lock := range process.folders {
		errs = append(errs, os.RemoveAll(folder), lock.Close())
	}
	return errors.Join(errs...)
}

// AtEnd has Main call stop after the tests.
func AtEnd(stop func(context.Context) error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	process.stops = append(process.stops, stop)
}

// newFolder is a folder for one server on disk or in memory, removed at the end. Another user,
// who runs Postgres for root, may pass to it.
func newFolder(parent, name string) (string, error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	if !process.main {
		return "", errors.New("this package needs: func TestMain(m *testing.M) { lmstest.Main(m) }")
	}
	for folder := range process.folders {
		if filepath.Dir(folder) == filepath.Clean(parent) {
			return filepath.Join(folder, name), nil
		}
	}
	folder, err := makeFolder(parent)
	if err != nil {
		return "", fmt.Errorf("make a folder for test servers: %w", err)
	}
	return filepath.Join(folder, name), nil
}

// memory is a folder whose files are kept in memory, where there is one with room for the
// databases of some tests: making their hundreds of files there takes a tenth of the time.
func memory() string {
	const shared, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shared, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return os.TempDir()
	}
	return shared
}

func makeFolder(parent string) (string, error) {
	if err := removeAbandoned(parent, time.Now()); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp(parent, folderPattern)
	if err != nil {
		return "", err
	}
	if err := os.Chmod(folder, 0o711); err != nil {
		return "", err
	}
	lock, err := os.Open(folder)
	if err != nil {
		return "", err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", errors.Join(err, lock.Close())
	}
	if process.folders == nil {
		process.folders = map[string]*os.File{}
	}
	process.folders[folder] = lock
	return folder, nil
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
