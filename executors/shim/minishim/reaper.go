package minishim

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// reaper reaps children: the container's first process, and those that became
// ours because their parents ended. While the lock is held for reading it reaps
// nothing. So whoever waits for a child of his own, or sends a signal to one by
// its number, holds it.
type reaper struct {
	sync.RWMutex
	// pid is the process whose end is told to ended, with the lock held.
	pid   int
	ended func(unix.WaitStatus)
}

// run reaps for as long as the process lives.
func (r *reaper) run() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	for range children {
		r.reap()
	}
}

func (r *reaper) reap() {
	r.Lock()
	defer r.Unlock()
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || pid == 0:
			return
		case pid == r.pid:
			r.pid = 0
			r.ended(ws)
		}
	}
}
