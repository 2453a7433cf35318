package health

import (
	"fmt"
	"syscall"

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
	handle, err := p.open()
	if err != nil {
		return
	}
	defer handle.Close()
	_ = handle.Signal(syscall.SIGSTOP) // it starts no more meanwhile
	for _, d := range linux.Descendants(p.PID) {
		child := Process{d.PID, d.Start}
		if handle, err := child.open(); err == nil {
			_ = handle.Signal(syscall.SIGKILL)
			_ = handle.Close()
		}
	}
	_ = handle.Signal(syscall.SIGKILL)
}
