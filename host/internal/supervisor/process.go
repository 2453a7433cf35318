package supervisor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Process is an executor process that was started here or found running. Its
// pidfd keeps the pid from being taken for another process's.
type Process struct {
	PID   int
	pidfd *os.File
	done  chan struct{}
}

// openProcess takes hold of a process. verify is called when the pid can no
// longer change its meaning, to make sure that it is the right one.
func openProcess(pid int, verify func() error) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	p := &Process{PID: pid, pidfd: os.NewFile(uintptr(fd), "pidfd"), done: make(chan struct{})}
	if err := verify(); err != nil {
		_ = p.pidfd.Close()
		return nil, err
	}
	go p.watch()
	return p, nil
}

// watch waits for the end of the process. It ends with it, or when the pidfd is
// closed by Release.
func (p *Process) watch() {
	defer close(p.done)
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n == 1 // readable: the process has ended
	})
}

// Done is closed when the process has ended, or was let go of.
func (p *Process) Done() <-chan struct{} { return p.done }

// Kill sends SIGKILL and waits until the process has ended, or a second is over:
// a process in uninterruptible sleep cannot be killed.
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

func (p *Process) signal(sig unix.Signal) error {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return nil
	}
	return sent
}

// Release lets go of the process, which runs on, and waits for the watcher.
func (p *Process) Release() {
	_ = p.pidfd.Close()
	<-p.done
}
