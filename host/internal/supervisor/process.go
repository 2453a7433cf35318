package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Process is an executor process that was started here or found running.
type Process struct {
	PID   int
	pidfd *linux.Process
	done  chan struct{}
}

// watch waits for the end of a process, until it is released.
func watch(pidfd *linux.Process) *Process {
	p := &Process{PID: pidfd.PID, pidfd: pidfd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = pidfd.Wait(context.Background())
	}()
	return p
}

// Done returns a channel that is closed when the process has ended or was released.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill sends SIGKILL and waits until the process has ended, at most a second: a process
// in uninterruptible sleep cannot be killed.
func (p *Process) Kill() error {
	err := p.signal(unix.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(time.Second):
		return fmt.Errorf("process %d does not end after SIGKILL", p.PID)
	}
}

// Terminate sends SIGTERM, and SIGKILL if the process has not ended in time.
func (p *Process) Terminate(timeout time.Duration) error {
	if err := p.signal(unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
		return p.Kill()
	}
}

// signal sends a signal to the process. It returns nil if the process has ended.
func (p *Process) signal(sig unix.Signal) error {
	if err := p.pidfd.Signal(sig); !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// Release stops watching the process, which runs on.
func (p *Process) Release() {
	_ = p.pidfd.Close()
	<-p.done
}
