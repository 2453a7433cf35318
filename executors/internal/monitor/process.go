package monitor

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// process is the identity of a process in one boot of the machine.
type process struct {
	PID int `json:"pid"`
	// Start is when it started, in clock ticks since boot.
	Start uint64 `json:"start"`
}

// bootID differs between boots of the machine.
func bootID() string {
	id, _ := linux.BootID()
	return id
}

func identify(pid int) (process, error) {
	s, err := linux.StatOf(pid)
	return process{PID: pid, Start: s.Start}, err
}

// open returns a pidfd of the process. The error is ESRCH if it is gone.
func (p process) open() (*linux.Process, error) {
	return linux.OpenProcess(p.PID, func() error {
		if s, err := linux.StatOf(p.PID); err != nil || s.Start != p.Start {
			return unix.ESRCH
		}
		return nil
	})
}

// await waits until the process has ended. The error is ctx's.
func (p process) await(ctx context.Context) error {
	pidfd, err := p.open()
	if err != nil {
		return nil // it has
	}
	defer pidfd.Close()
	return pidfd.Wait(ctx)
}

// awaitEither waits until one of two processes, which may be the same, has ended. The
// error is ctx's.
func awaitEither(ctx context.Context, p, q process) error {
	if p == q {
		return p.await(ctx)
	}
	either, cancel := context.WithCancel(ctx)
	defer cancel()
	var other sync.WaitGroup
	other.Go(func() {
		_ = q.await(either)
		cancel()
	})
	_ = p.await(either)
	cancel()
	other.Wait()
	return ctx.Err()
}

// signal sends a signal. The error is ESRCH if the process is gone.
func (p process) signal(sig unix.Signal) error {
	pidfd, err := p.open()
	if err != nil {
		return err
	}
	defer pidfd.Close()
	return pidfd.Signal(sig)
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
