package monitor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	gosync "sync"
	"time"

	"golang.org/x/sys/unix"
)

// process is the identity of a process in one boot of the machine.
type process struct {
	PID int `json:"pid"`
	// Start is when it started, in clock ticks since boot.
	Start uint64 `json:"start"`
}

// bootID differs between boots of the machine.
var bootID = gosync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// stat is what /proc tells about a process.
type stat struct {
	state   byte
	parent  int
	session int
	start   uint64
	exit    unix.WaitStatus // of one that has ended
}

func statOf(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name in parentheses may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	s := stat{state: f[0][0]}
	var errs [4]error
	s.parent, errs[0] = strconv.Atoi(f[1])
	s.session, errs[1] = strconv.Atoi(f[3])
	s.start, errs[2] = strconv.ParseUint(f[19], 10, 64)
	if s.state == 'Z' && len(f) >= 50 {
		var exit uint64
		exit, errs[3] = strconv.ParseUint(f[49], 10, 32)
		s.exit = unix.WaitStatus(exit)
	}
	return s, errors.Join(errs[:]...)
}

func identify(pid int) (process, error) {
	s, err := statOf(pid)
	return process{PID: pid, Start: s.start}, err
}

// open gives a pidfd of the process, and an error if it is gone.
func (p process) open() (*os.File, error) {
	if p.PID <= 0 {
		return nil, unix.ESRCH
	}
	fd, err := unix.PidfdOpen(p.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	// From now on the number cannot change its meaning.
	if s, err := statOf(p.PID); err != nil || s.start != p.Start {
		_ = f.Close()
		return nil, unix.ESRCH
	}
	return f, nil
}

// await waits until the process has ended. The error is ctx's.
func (p process) await(ctx context.Context) error {
	f, err := p.open()
	if err != nil {
		return nil // it has
	}
	defer f.Close()
	return await(ctx, f)
}

// signal sends a signal. The error is ESRCH if the process is gone.
func (p process) signal(sig unix.Signal) error {
	f, err := p.open()
	if err != nil {
		return err
	}
	defer f.Close()
	return send(f, sig)
}

// send sends a signal to the process of a pidfd, and is safe against its being
// closed meanwhile.
func send(pidfd *os.File, sig unix.Signal) error {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	cerr := conn.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	return errors.Join(cerr, err)
}

// await waits until the process of a pidfd has ended, which it may have as a
// zombie.
func await(ctx context.Context, pidfd *os.File) error {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = pidfd.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	err = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n == 1 // readable: it has ended
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
