package health

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// Process is a process of a container. The zero value is none.
type Process struct {
	PID int
	// Start is when it started, as in [linux.Stat]. With the pid it identifies the process.
	Start uint64
}

// ProcessOf returns the process that has a pid now, or none.
func ProcessOf(pid int) Process {
	s, err := linux.StatOf(pid)
	if err != nil || s.State == 'Z' {
		return Process{}
	}
	return Process{pid, s.Start}
}

// open returns a handle of the process. The error is that it is gone.
func (p Process) open() (*linux.Process, error) {
	return linux.OpenProcess(p.PID, func() error {
		if p != ProcessOf(p.PID) {
			return fmt.Errorf("process %d is gone", p.PID)
		}
		return nil
	})
}

// Kill kills the process, and those that it has started, which then belong to the first
// process of their container: if that does not wait for them, zombies of them stay. Kill does
// nothing for a process that is gone.
func (p Process) Kill() {
	// Each is stopped before its children are listed, so that none is started meanwhile.
	found := map[Process]bool{}
	end := time.Now().Add(killTimeout)
	for more := p.stop(found); more && time.Now().Before(end); {
		more = false
		for _, d := range linux.Descendants(p.PID) {
			more = d.State != 'Z' && Process{d.PID, d.Start}.stop(found) || more
		}
	}
	for p := range found {
		p.signal(syscall.SIGKILL)
	}
}

const (
	// killTimeout is how long Kill looks for what processes have started. They may do so
	// faster than it stops them.
	killTimeout = 5 * time.Second
	// stopTimeout is how long Kill waits for a process to stop. One in an uninterruptible
	// system call does so later.
	stopTimeout = 100 * time.Millisecond
)

// stop stops the process and adds it to those found. It returns false if it is one of these,
// or gone.
func (p Process) stop(found map[Process]bool) bool {
	if found[p] || !p.signal(syscall.SIGSTOP) {
		return false
	}
	found[p] = true
	p.awaitStop()
	return true
}

// signal returns false if the process is gone.
func (p Process) signal(sig syscall.Signal) bool {
	handle, err := p.open()
	if err != nil {
		return false
	}
	defer handle.Close()
	return handle.Signal(sig) == nil
}

// awaitStop waits until the process runs no more, of which a signal that was sent is only the
// beginning: a fork that is under way is completed, and its child has to be found.
func (p Process) awaitStop() {
	for end := time.Now().Add(stopTimeout); p.runs() && time.Now().Before(end); {
		time.Sleep(time.Millisecond / 4)
	}
}

// runs reports whether a thread of the process is neither stopped nor ended.
func (p Process) runs() bool {
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID))
	for _, thread := range threads {
		tid, _ := strconv.Atoi(thread.Name())
		if s, err := linux.StatOf(tid); err == nil && !strings.ContainsRune("TtZX", rune(s.State)) {
			return true
		}
	}
	return false
}
