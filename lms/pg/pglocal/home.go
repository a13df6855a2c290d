package pglocal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mopd/lms/pg/pglocal/child"
)

// A home is the folder of a cluster:
//
//	pglocal        marker: this package made the folder; its flock is held by the process that serves it
//	server.lock    its flock is inherited by all processes of the server, and free when the last is gone
//	password       of the superuser, readable by the server's user alone
//	data/          Postgres' own; complete if it exists
//	postgres.log
type home struct {
	dir    string
	user   owner
	parent *os.File // marker, locked
	server *os.File // server.lock, locked
}

const (
	markerName = "pglocal"
	markerText = "This folder holds a Postgres server of the learning management system's demo or tests.\n"
)

func (h *home) path(name string) string { return filepath.Join(h.dir, name) }
func (h *home) dataDir() string         { return h.path("data") }

// openHome makes the folder, or checks that this package made it, and takes its lock.
func openHome(ctx context.Context, dir string) (*home, error) {
	if dir == "" {
		return nil, errors.New("start Postgres: no folder given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("start Postgres: %w", err)
	}
	h := &home{dir: dir}
	if h.user, err = serverUser(dir); err != nil {
		return nil, err
	}
	if err := h.user.canEnter(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the Postgres folder: %w", err)
	}
	if err := h.user.canEnter(dir); err != nil { // the parents just made obey the umask
		return nil, err
	}

	if err := h.mark(); err != nil {
		return nil, err
	}
	if h.parent, err = os.Open(h.path(markerName)); err != nil {
		return nil, fmt.Errorf("read the Postgres folder: %w", err)
	}
	if err := lockFile(h.parent); err != nil {
		closeFile(h.parent)
		return nil, fmt.Errorf("%s: %w", h.dir, err)
	}
	if err := h.waitForServer(ctx); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

// release frees the folder for the next process. It unlocks by name, since a child that is just being
// forked may hold a copy of the open file for a moment.
func (h *home) release() {
	if err := syscall.Flock(int(h.parent.Fd()), syscall.LOCK_UN); err != nil {
		slog.Warn("unlock the local Postgres folder", "error", err)
	}
	closeFile(h.parent)
}

// mark claims an empty folder, and refuses one with files that this package did not make.
func (h *home) mark() error {
	_, err := os.Stat(h.path(markerName))
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the Postgres folder: %w", err)
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return fmt.Errorf("read the Postgres folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s holds other files: choose an empty one for Postgres", h.dir)
	}
	if err := os.Chmod(h.dir, 0o700); err != nil {
		return fmt.Errorf("make the Postgres folder: %w", err)
	}
	if err := h.user.own(h.dir); err != nil {
		return err
	}
	if err := os.WriteFile(h.path(markerName), []byte(markerText), 0o644); err != nil {
		return fmt.Errorf("make the Postgres folder: %w", err)
	}
	return nil
}

// waitForServer takes the server's lock. A server whose parent was killed holds it while it shuts down.
func (h *home) waitForServer(ctx context.Context) error {
	var err error
	if h.server, err = os.OpenFile(h.path("server.lock"), os.O_CREATE|os.O_RDONLY, 0o600); err != nil {
		return fmt.Errorf("read the Postgres folder: %w", err)
	}
	if err := h.user.own(h.server.Name()); err != nil {
		closeFile(h.server)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, handoverLimit)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := lockFile(h.server)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrInUse) {
			closeFile(h.server)
			return fmt.Errorf("lock %s: %w", h.dir, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			closeFile(h.server)
			return fmt.Errorf("%s: %w and does not end", h.dir, err)
		}
	}
}

// lockFile takes the lock or returns ErrInUse at once.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// initialize runs initdb once. The data folder takes its name when it is complete, so an interrupted
// first start leaves nothing that a second one could mistake for a cluster.
func (h *home) initialize(ctx context.Context, bin string, durable bool) error {
	_, err := os.Stat(h.dataDir())
	if err == nil {
		return h.dropStalePid()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the Postgres data: %w", err)
	}
	partial := h.path("data.partial")
	if err := os.RemoveAll(partial); err != nil {
		return fmt.Errorf("remove an interrupted start: %w", err)
	}
	if err := os.WriteFile(h.path("password"), []byte(rand.Text()), 0o600); err != nil {
		return fmt.Errorf("keep the Postgres password: %w", err)
	}
	if err := h.user.own(h.path("password")); err != nil {
		return err
	}
	args := []string{
		"--pgdata", partial, "--username", superuser, "--pwfile", h.path("password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	if err := h.run(ctx, filepath.Join(bin, "initdb"), args...); err != nil {
		return fmt.Errorf("make a Postgres cluster in %s: %w", h.dir, err)
	}
	if err := os.Rename(partial, h.dataDir()); err != nil {
		return fmt.Errorf("make a Postgres cluster: %w", err)
	}
	return nil
}

// run runs a program as the server's user, holding the server's lock, until it ends or ctx does.
func (h *home) run(ctx context.Context, program string, args ...string) error {
	var out bytes.Buffer
	cmd := h.command(program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		if err := p.Err(); err != nil {
			return fmt.Errorf("%w: %s", err, lastLine(out.Bytes()))
		}
		return nil
	case <-ctx.Done():
		return p.Stop(ctx, syscall.SIGKILL)
	}
}

func (h *home) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = h.dir
	// Nothing of this process' environment may point Postgres at another server or folder.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.ExtraFiles = []*os.File{h.server}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.user.credential()}
	return cmd
}

// dropStalePid removes what a killed server left behind. The lock proves that no server of this folder
// lives, which Postgres itself cannot know: it gives up when the old process id belongs to anybody.
func (h *home) dropStalePid() error {
	err := os.Remove(filepath.Join(h.dataDir(), "postmaster.pid"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale Postgres pid file: %w", err)
	}
	return nil
}

func (h *home) password() (string, error) {
	raw, err := os.ReadFile(h.path("password"))
	if err != nil {
		return "", fmt.Errorf("read the Postgres password: %w", err)
	}
	return string(raw), nil
}

func lastLine(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	return string(bytes.TrimSpace(raw[bytes.LastIndexByte(raw, '\n')+1:]))
}

// tail is the end of what a failed server wrote to its log since it began.
func tail(name string, begin int64) string {
	raw, err := os.ReadFile(name)
	if err != nil || int64(len(raw)) < begin {
		return "see " + name
	}
	raw = raw[begin:]
	const enough = 2000
	if len(raw) > enough {
		raw = raw[len(raw)-enough:]
	}
	return strings.TrimSpace(string(raw))
}

func closeFile(c io.Closer) {
	if err := c.Close(); err != nil {
		slog.Warn("close a file of the local Postgres", "error", err)
	}
}
