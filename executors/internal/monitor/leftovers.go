package monitor

import (
	"context"
	"fmt"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// killLeftovers kills what a killed monitor has left of its workload, and reports
// whether all that it wrote is in its files. What was in the pipes of such a monitor is
// not.
func killLeftovers(ctx context.Context, dir string) (complete bool, err error) {
	if end, ok, err := read[gone](dir, goneFile); ok || err != nil {
		return !end.Truncated, err
	}
	job, ok, err := read[kept](dir, jobFile)
	if err != nil || !ok || job.Boot != bootID() {
		return !ok, err
	}
	if job.Inline { // there was one process, and the files were its own
		return true, nil
	}
	start, begun, err := read[started](dir, startedFile)
	if err != nil {
		return false, err
	}
	for d := 50 * time.Microsecond; ; d = min(2*d, 100*time.Millisecond) {
		job.Cgroup.seal()
		left := job.Cgroup.kill() + start.Workload.killSession()
		if left == 0 {
			break
		}
		if !pause(ctx, d) {
			return false, fmt.Errorf("%d processes of the workload in %s do not end: %w", left, dir, ctx.Err())
		}
	}
	return !begun, job.Cgroup.remove()
}

// killSession kills a process and those of the session that it leads, and returns
// how many there were.
func (p process) killSession() int {
	if p.PID == 0 {
		return 0
	}
	// If another process has the pid now, the session of that number is its own.
	if s, err := linux.StatOf(p.PID); err == nil && s.Start != p.Start {
		return 0
	}
	found, _ := linux.FindProcesses(func(pid int) bool {
		s, err := linux.StatOf(pid)
		return err == nil && s.Session == p.PID && s.Start >= p.Start && s.State != 'Z'
	})
	n := 0
	for _, member := range found {
		if member.Signal(unix.SIGKILL) == nil {
			n++
		}
		_ = member.Close()
	}
	return n
}
