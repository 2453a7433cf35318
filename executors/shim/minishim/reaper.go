package minishim

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"unsafe"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// reaper reaps all children: those that the shim starts, and those that it has
// inherited from parents that ended. Nobody else may wait for a child.
type reaper struct {
	mu sync.Mutex
	// watched are the functions to call at the end of processes, by pid.
	watched map[int]func(ending)
	// expecting counts the callers who will watch a process whose pid they do not
	// know yet. early are the ends that were seen meanwhile.
	expecting int
	early     map[int]ending
}

// ending is how a process has ended.
type ending struct {
	unix.WaitStatus
	// neverRan says that it was an init of runc's, and never executed the workload.
	neverRan bool
}

// newReaper returns a reaper that works for as long as the process lives. No child
// may be started before: the signal that announces an end is not kept for a listener
// that comes later, and on a loaded machine a child can end before a new goroutine
// has run for the first time.
func newReaper() *reaper {
	r := &reaper{watched: make(map[int]func(ending)), early: make(map[int]ending)}
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			r.reap()
		}
	}()
	return r
}

// reap reaps the children that have ended. It calls the functions without the lock,
// one after the other.
func (r *reaper) reap() {
	for {
		r.mu.Lock()
		pid, end, err := reapOne()
		var ended func(ending)
		if err == nil && pid > 0 {
			if ended = r.watched[pid]; ended == nil && r.expecting > 0 {
				r.early[pid] = end
			}
			delete(r.watched, pid)
		}
		r.mu.Unlock()
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || pid == 0:
			return
		case ended != nil:
			ended(end)
		}
	}
}

// reapOne reaps a child that has ended, if there is one. It looks at the child before
// that, which nobody can afterwards.
func reapOne() (pid int, end ending, err error) {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
		return 0, end, err
	}
	if pid = pidOf(&info); pid == 0 {
		return 0, end, nil
	}
	end.neverRan = isInit(pid)
	_, err = unix.Wait4(pid, &end.WaitStatus, unix.WNOHANG, nil)
	return pid, end, err
}

// pidOf returns the pid in what the kernel says of a child. It stands behind three
// integers, aligned like a pointer.
func pidOf(info *unix.Siginfo) int {
	const align = unsafe.Sizeof(uintptr(0))
	const offset = (3*4 + align - 1) &^ (align - 1)
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}

// isInit reports whether a process is an init of runc's, which has not executed the
// workload yet. No workload can look like that: it was executed.
func isInit(pid int) bool {
	s, err := linux.StatOf(pid)
	return err == nil && s.Forked && s.Name == "runc:[2:INIT]"
}

// start starts a command, whose streams must be plain files or nil, and returns a
// channel for its exit status.
func (r *reaper) start(cmd *exec.Cmd) (<-chan unix.WaitStatus, error) {
	ended := make(chan unix.WaitStatus, 1)
	r.mu.Lock() // its end must not be seen before it is watched
	defer r.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.watched[cmd.Process.Pid] = func(end ending) { ended <- end.WaitStatus }
	return ended, nil
}

// expect keeps the ends of all processes until done is called, so that a process can
// be watched whose pid becomes known only after its start.
func (r *reaper) expect() (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expecting++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.expecting--; r.expecting == 0 {
			clear(r.early)
		}
	}
}

// watch arranges for ended to be called once, at the end of a process.
func (r *reaper) watch(pid int, ended func(ending)) {
	r.mu.Lock()
	end, early := r.early[pid]
	if !early {
		r.watched[pid] = ended
	}
	r.mu.Unlock()
	if early {
		ended(end)
	}
}

// signal sends a signal to a process that is watched. A process that was reaped is
// not found, whoever has its pid now.
func (r *reaper) signal(pid int, sig unix.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watched[pid] == nil {
		return fmt.Errorf("process %d has ended: %w", pid, errdefs.ErrNotFound)
	}
	return unix.Kill(pid, sig)
}
