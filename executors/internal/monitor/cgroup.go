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
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// between returns the cgroups between Path and Top, the inner ones first.
func (d CgroupDir) between() (dirs []string) {
	for up := path.Dir(d.Path); d.Top != "" && strings.HasPrefix(up, d.Top+"/"); up = path.Dir(up) {
		dirs = append(dirs, up)
	}
	return dirs
}

// make creates the cgroups and sets their limits.
func (c Cgroup) make() error {
	if c.Joined {
		return nil
	}
	for _, dir := range c.Dirs {
		if err := os.MkdirAll(dir.Path, 0o755); err != nil {
			return executor.Errorf(executor.FailedPrecondition, "make cgroup: %w", err)
		}
		if dir.Cpuset != "" {
			if err := inheritCpuset(dir.Path, dir.Cpuset); err != nil {
				return executor.Errorf(executor.FailedPrecondition, "processors of cgroup: %w", err)
			}
		}
		for _, up := range slices.Backward(dir.between()) {
			for _, name := range []string{"memory", "pids", "cpu"} { // those that there are
				_ = os.WriteFile(path.Join(up, "cgroup.subtree_control"), []byte("+"+name), 0)
			}
		}
	}
	return setLimits(c.Files)
}

// inheritCpuset gives a cgroup that has no processors or memory those of its parent.
func inheritCpuset(dir, root string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := os.ReadFile(path.Join(dir, name))
		if err != nil {
			return err
		}
		if dir == root || len(bytes.TrimSpace(b)) > 0 {
			continue
		}
		if err := inheritCpuset(path.Dir(dir), root); err != nil {
			return err
		}
		if b, err = os.ReadFile(path.Join(path.Dir(dir), name)); err == nil {
			err = os.WriteFile(path.Join(dir, name), b, 0)
		}
		if err != nil {
			return err
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

// seal keeps the processes within from forking, where the kernel can.
func (c Cgroup) seal() {
	if c.Joined {
		return
	}
	for _, dir := range c.Dirs {
		_ = os.WriteFile(path.Join(dir.Path, "pids.max"), []byte("0"), 0)
	}
}

// processes lists the processes within, in any hierarchy.
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
	slices.Sort(pids)
	return slices.Compact(pids)
}

// kill kills the processes within, and returns how many there were. This one, of which a
// thread may be there that could not be moved back, does not count.
func (c Cgroup) kill() int {
	if c.Joined {
		return 0
	}
	var found []*linux.Process
	for _, pid := range c.processes() {
		if pid == os.Getpid() {
			continue
		}
		if p, err := linux.OpenProcess(pid, nil); err == nil {
			found = append(found, p)
		}
	}
	// A pid that is still within the cgroup is that of the process which was opened.
	within := c.processes()
	for _, p := range found {
		if slices.Contains(within, p.PID) {
			_ = p.Signal(unix.SIGKILL)
		}
		_ = p.Close()
	}
	if len(found) > 0 && c.Freezer != "" {
		_ = c.thaw()
	}
	return len(found)
}

// remove removes the cgroups. The kernel may take a moment to see that they are
// empty.
func (c Cgroup) remove() error {
	if c.Joined {
		return nil
	}
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
			continue
		}
		for _, up := range dir.between() {
			if unix.Rmdir(up) != nil {
				break // others are in it
			}
		}
	}
	return errors.Join(errs...)
}

// oomKilled reports whether the kernel killed a process within because it had no
// memory left, nil if that is not known.
func (c Cgroup) oomKilled() *bool {
	if c.OOM == "" {
		return nil
	}
	n, err := linux.OOMKills(c.OOM)
	if err != nil {
		return nil
	}
	killed := n > 0
	return &killed
}
