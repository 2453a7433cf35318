package monitor

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// bury ends what a monitor that was killed has left of its workload, and reports
// whether it is sure that nothing is left. Only a cgroup gives certainty, or the
// monitor's own word.
func bury(ctx context.Context, dir string) (sure bool, err error) {
	if _, err := os.Stat(path.Join(dir, goneFile)); err == nil {
		return true, nil
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
	return !begun || len(job.Cgroup.Dirs) > 0, job.Cgroup.remove()
}

// killSession kills a process and those of the session that it leads, and gives
// how many there were.
func (p process) killSession() int {
	if p.PID == 0 {
		return 0
	}
	// If somebody else has the number now, so has his session.
	if s, err := statOf(p.PID); err == nil && s.start != p.Start {
		return 0
	}
	n := 0
	for _, pid := range processes() {
		s, err := statOf(pid)
		if err != nil || s.session != p.PID || s.start < p.Start || s.state == 'Z' {
			continue
		}
		if (process{PID: pid, Start: s.start}).signal(unix.SIGKILL) == nil {
			n++
		}
	}
	return n
}

// processes lists all processes.
func processes() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	var pids []int
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
