package backend

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// jobLost is why a stray cannot be adopted.
const jobLost = "what the executor had recorded of it is lost"

// Strays implements [executor.StrayKeeper]. Strays are monitors whose directory is gone, or
// has no job in it.
func (b *Backend[P]) Strays(context.Context) ([]executor.Stray, error) {
	pids, err := linux.PIDs()
	if err != nil {
		return nil, err
	}
	var all []executor.Stray
	for _, pid := range pids {
		ref, ok := b.in.stray(pid)
		if !ok {
			continue
		}
		st := executor.Status{Ref: ref, State: executor.Running, PID: pid}
		if below := descendants(pid); len(below) > 0 {
			st.PID = below[0].pid
		}
		all = append(all, executor.Stray{
			Key: strconv.Itoa(pid), Status: st, Problem: jobLost,
			What: fmt.Sprintf("monitor %d of container %s, whose directory in %s is lost", pid, ref.ID, b.in.dir),
		})
	}
	return all, nil
}

// stray returns the ref of the workload of a monitor of this backend that has no job.
func (c *containers) stray(pid int) (ref executor.Ref, ok bool) {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	id, within := strings.CutPrefix(strings.TrimSuffix(cwd, " (deleted)"), c.dir+"/")
	if err != nil || !within || executor.ValidateID(id) != nil {
		return ref, false
	}
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := bytes.Split(line, []byte{0})
	if len(args) < 2 || string(args[0]) != "davit-monitor" {
		return ref, false
	}
	name, attempt, _ := strings.Cut(string(args[1]), "/")
	ref.ID = id
	if ref.Attempt, err = strconv.Atoi(attempt); err != nil || name != id || ref.Attempt < 1 {
		return ref, false
	}
	_, _, known, err := c.look(id)
	return ref, !known && err == nil
}

// AdoptStray implements [executor.StrayKeeper].
func (b *Backend[P]) AdoptStray(_ context.Context, ref executor.Ref, key string) (executor.Status, error) {
	if b.in.monitorOf(ref, key) == 0 {
		return executor.Status{}, executor.Errorf(executor.NotFound, "there is no monitor %s of %s without a job", key, ref)
	}
	return executor.Status{}, executor.Errorf(executor.FailedPrecondition, "container %s: %s", ref, jobLost)
}

// monitorOf returns the monitor of a stray, 0 if there is none.
func (c *containers) monitorOf(ref executor.Ref, key string) int {
	pid, err := strconv.Atoi(key)
	if err != nil {
		return 0
	}
	if of, ok := c.stray(pid); !ok || of != ref {
		return 0
	}
	return pid
}

// RemoveStray implements [executor.StrayKeeper]. The first process of the workload dies
// with the monitor, and the others are killed.
func (b *Backend[P]) RemoveStray(ctx context.Context, ref executor.Ref, key string) error {
	monitor := b.in.monitorOf(ref, key)
	if monitor == 0 {
		return b.in.removeEmptyCgroups(ref.ID)
	}
	below := descendants(monitor)
	cgroups := cgroupsOf(append(below, child{pid: monitor}), ref.ID)
	handle, err := linux.OpenProcess(monitor, func() error {
		if b.in.monitorOf(ref, key) == 0 {
			return unix.ESRCH
		}
		return nil
	})
	if err != nil {
		return nil //nolint:nilerr // it has ended
	}
	defer handle.Close()
	_ = handle.Signal(unix.SIGKILL)
	for _, c := range below {
		if p, err := linux.OpenProcess(c.pid, c.same); err == nil {
			_ = p.Signal(unix.SIGKILL)
			_ = p.Close()
		}
	}
	if err := handle.Wait(ctx); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	if err := os.RemoveAll(b.in.path(ref.ID)); err != nil {
		return err
	}
	return removeCgroups(ctx, cgroups)
}

// removeEmptyCgroups removes the cgroups that a stray has left which ended by itself. Only
// their names are known. One of a workload that the backend has stays.
func (c *containers) removeEmptyCgroups(id string) error {
	if _, _, known, err := c.look(id); known || err != nil {
		return err
	}
	mounts, err := linux.CgroupMounts()
	if err != nil {
		return err
	}
	for _, m := range mounts {
		dirs, _ := filepath.Glob(m.Dir(filepath.Join("/davit", "*", id+"-*")))
		for _, dir := range dirs {
			if os.Remove(dir) == nil { // it fails unless empty
				_ = os.Remove(filepath.Dir(dir))
			}
		}
	}
	return nil
}

// child is a process, identified by its pid and start time.
type child struct {
	pid   int
	start uint64
}

// same returns an error if another process has the pid now.
func (c child) same() error {
	if s, err := linux.StatOf(c.pid); err != nil || s.Start != c.start {
		return unix.ESRCH
	}
	return nil
}

// descendants returns the children of a process and all below them.
func descendants(pid int) (all []child) {
	for _, p := range linux.Descendants(pid) {
		all = append(all, child{p.PID, p.Start})
	}
	return all
}

// cgroupsOf returns the cgroups of processes that are named after a container.
func cgroupsOf(processes []child, id string) map[string]bool {
	mounts, _ := linux.CgroupMounts()
	dirs := map[string]bool{}
	for _, p := range processes {
		paths, _ := linux.CgroupsOf(p.pid)
		for _, path := range paths {
			if !strings.HasPrefix(filepath.Base(path), id+"-") {
				continue
			}
			for _, m := range mounts {
				if _, err := os.Stat(m.Dir(path)); err == nil {
					dirs[m.Dir(path)] = true
				}
			}
		}
	}
	return dirs
}

// removeCgroups kills what is left in cgroups and removes them.
func removeCgroups(ctx context.Context, dirs map[string]bool) error {
	for dir := range dirs {
		for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, os.ErrNotExist) {
				_ = os.Remove(filepath.Dir(dir)) // the backend's, if that is empty
				break
			}
			text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			for line := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(line); err == nil {
					_ = unix.Kill(pid, unix.SIGKILL)
				}
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return fmt.Errorf("cgroup %s: %w", dir, errors.Join(err, ctx.Err()))
			}
		}
	}
	return nil
}
