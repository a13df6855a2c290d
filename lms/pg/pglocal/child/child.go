// Package child runs a helper process that does not outlive the process that started it: when the
// parent dies, even by SIGKILL, the kernel sends the child a signal of the parent's choice.
//
// It never restarts a child and never touches a process that it did not start. Start reading at Start.
package child

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

// Process is a running or ended child.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // how the child ended; set before done is closed
}

// Start starts cmd in a process group of its own, so that a Ctrl-C in the terminal reaches the parent
// alone, which then stops its children in order. The kernel sends onParentDeath to the child when the
// parent dies (on Linux; elsewhere the child stays until somebody stops it).
func Start(cmd *exec.Cmd, onParentDeath syscall.Signal) (*Process, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	setParentDeathSignal(cmd.SysProcAttr, onParentDeath)

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent, to the kernel, is the thread that forked: it must live as long as the child.
		// Without an unlock the thread ends with this goroutine.
		runtime.LockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start %s: %w", cmd.Path, err)
			return
		}
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended: nil for exit status 0. It waits for the end.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Stop asks the child to end with sig and waits for it. When ctx ends first, the child is killed and
// the error of ctx is returned. A child that has already ended is no error.
func (p *Process) Stop(ctx context.Context, sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(sig); err != nil {
		select {
		case <-p.done: // it ended between the check and the signal
			return nil
		case <-ctx.Done():
			return fmt.Errorf("signal process %d: %w", p.Pid(), err)
		}
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		if err := p.cmd.Process.Kill(); err != nil {
			return fmt.Errorf("kill process %d: %w", p.Pid(), err)
		}
		<-p.done
		return fmt.Errorf("process %d had to be killed: %w", p.Pid(), ctx.Err())
	}
}
