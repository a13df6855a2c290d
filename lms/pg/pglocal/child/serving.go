package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// StartServing starts cmd as Start does and waits until it prints a line that begins with announcement.
// It returns the rest of that line, usually an address. A child that ends first, or has not said it when
// ctx ends, is an error and is not left running.
func StartServing(ctx context.Context, cmd *exec.Cmd, onParentDeath syscall.Signal, announcement string) (*Process, string, error) {
	watch := &announced{prefix: announcement, found: make(chan string, 1)}
	cmd.Stdout = watch
	p, err := Start(cmd, onParentDeath)
	if err != nil {
		return nil, "", err
	}
	select {
	case rest := <-watch.found:
		return p, rest, nil
	case <-p.Done():
		return nil, "", fmt.Errorf("%s ended before it served: %w", cmd.Path, errors.Join(p.Err(), errors.New(watch.seen())))
	case <-ctx.Done():
		return nil, "", fmt.Errorf("wait for %s to serve: %w", cmd.Path, errors.Join(p.Stop(ctx, syscall.SIGKILL), ctx.Err()))
	}
}

// announced reads output until one line begins with prefix, and ignores the rest.
type announced struct {
	prefix string
	found  chan string

	mu   sync.Mutex
	text bytes.Buffer
	done bool
}

func (a *announced) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done {
		return len(p), nil
	}
	a.text.Write(p)
	lines := strings.Split(a.text.String(), "\n")
	for _, line := range lines[:len(lines)-1] { // what follows the last line break may still grow
		if rest, ok := strings.CutPrefix(line, a.prefix); ok {
			a.done = true
			a.text.Reset()
			a.found <- strings.TrimSpace(rest)
			break
		}
	}
	return len(p), nil
}

func (a *announced) seen() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.TrimSpace(a.text.String())
}
