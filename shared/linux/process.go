package linux

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a pidfd: as long as it is open, its PID means no other process.
type Process struct {
	PID  int
	file *os.File
}

// OpenProcess opens the process that has a pid. verify, unless nil, is called when
// the pid can no longer change its meaning, to make sure that it is the right
// process; its error is returned. The error wraps [unix.ESRCH] if there is no
// process.
func OpenProcess(pid int, verify func() error) (*Process, error) {
	fd, err := -1, error(unix.ESRCH)
	if pid > 0 {
		fd, err = unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	}
	if err != nil {
		return nil, fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	p := &Process{PID: pid, file: os.NewFile(uintptr(fd), "pidfd")}
	if verify != nil {
		if err := verify(); err != nil {
			_ = p.file.Close()
			return nil, err
		}
	}
	return p, nil
}

// NewProcess takes over the pidfd of a child, as SysProcAttr.PidFD provides it.
func NewProcess(pid, pidfd int) *Process {
	_ = unix.SetNonblock(pidfd, true)
	return &Process{PID: pid, file: os.NewFile(uintptr(pidfd), "pidfd")}
}

// Signal sends a signal. The error is [unix.ESRCH] if the process is gone. It may
// be called while another goroutine closes p.
func (p *Process) Signal(sig unix.Signal) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	cerr := conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	if cerr != nil {
		return cerr
	}
	return err
}

// Wait waits until the process has ended; a zombie has ended too. The error is ctx's,
// or says that p was closed. Wait may be called once at most, also if ctx ended it.
func (p *Process) Wait(ctx context.Context) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = p.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n == 1 // readable: it has ended
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	return err
}

// Close releases the handle. The process runs on.
func (p *Process) Close() error { return p.file.Close() }
