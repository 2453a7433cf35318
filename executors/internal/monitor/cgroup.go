package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// make makes the cgroups and sets their limits.
func (c Cgroup) make() error {
	for _, dir := range c.Dirs {
		if err := os.MkdirAll(dir.Path, 0o755); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "make cgroup: %w", err)
		}
	}
	for _, f := range c.Files {
		if err := os.WriteFile(f.Path, []byte(f.Value), 0); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "limit of cgroup to %s: %w", f.Value, err)
		}
	}
	return nil
}

// enter moves this thread into the cgroups of version 1, so that the workload is
// born there. A thread may move itself at once; to move another process, the
// kernel waits until all processors have taken notice, for up to 15 ms.
func (c Cgroup) enter() error {
	return c.move(func(dir CgroupDir) string { return dir.Path })
}

// leave moves this thread back.
func (c Cgroup) leave() error {
	return c.move(func(dir CgroupDir) string { return dir.Home })
}

func (c Cgroup) move(to func(CgroupDir) string) error {
	for _, dir := range c.Dirs {
		if dir.Home == "" {
			continue
		}
		if err := os.WriteFile(path.Join(to(dir), "tasks"), []byte("0"), 0); err != nil {
			return fmt.Errorf("move to cgroup: %w", err)
		}
	}
	return nil
}

// unified opens the cgroup of version 2, nil if there is none.
func (c Cgroup) unified() (*os.File, error) {
	for _, dir := range c.Dirs {
		if dir.Home == "" {
			return os.Open(dir.Path)
		}
	}
	return nil, nil
}

// seal keeps the processes within from multiplying, where the kernel can.
func (c Cgroup) seal() {
	for _, dir := range c.Dirs {
		_ = os.WriteFile(path.Join(dir.Path, "pids.max"), []byte("0"), 0)
	}
}

// processes lists the processes within.
func (c Cgroup) processes() []int {
	var pids []int
	for _, dir := range c.Dirs {
		b, _ := os.ReadFile(path.Join(dir.Path, "cgroup.procs"))
		for line := range bytes.Lines(b) {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(line))); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// kill kills the processes within, and gives how many there were.
func (c Cgroup) kill() int {
	var found []*os.File
	var pids []int
	for _, pid := range c.processes() {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			found, pids = append(found, os.NewFile(uintptr(fd), "pidfd")), append(pids, pid)
		}
	}
	// A number that is still within means the process of its descriptor.
	within := c.processes()
	for i, f := range found {
		if slices.Contains(within, pids[i]) {
			_ = send(f, unix.SIGKILL)
		}
		_ = f.Close()
	}
	return len(found)
}

// remove removes the cgroups. The kernel may be a moment late to see that they
// are empty.
func (c Cgroup) remove() error {
	var errs []error
	for _, dir := range c.Dirs {
		var err error
		for d := 100 * time.Microsecond; d < 100*time.Millisecond; d *= 2 {
			if err = unix.Rmdir(dir.Path); !errors.Is(err, unix.EBUSY) {
				break
			}
			time.Sleep(d)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("remove cgroup %s: %w", dir.Path, err))
		}
	}
	return errors.Join(errs...)
}

// oomKilled reports whether the kernel killed a process within because there was
// no memory left to it, nil if that cannot be told.
func (c Cgroup) oomKilled() *bool {
	if c.OOM == "" {
		return nil
	}
	b, err := os.ReadFile(c.OOM)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			killed := strings.TrimSpace(n) != "0"
			return &killed
		}
	}
	return nil
}
