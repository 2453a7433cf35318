package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Join is the workload within which another one is to run, as far as the monitor of that
// must know it.
type Join struct {
	First process
	// Rooted says that it has a root of its own, and Contained that it has namespaces.
	Rooted, Contained bool
}

// join completes a job that is to run within the workload of job.Beside. The error is
// [executor.FailedPrecondition] if that does not run, or is paused.
func (job *Job) join() error {
	if job.Beside == "" {
		return nil
	}
	within, _, err := read[kept](job.Beside, jobFile)
	if err != nil {
		return err
	}
	return withRunning(job.Beside, func(_ string, f finding) error {
		if f.Paused {
			return executor.Errorf(executor.FailedPrecondition, "the workload is paused; resume it first")
		}
		if f.Workload.PID != job.BesidePID {
			return errNotRunning()
		}
		job.Joins = &Join{f.Workload, within.Rooted, within.Contained}
		job.Root = "/"
		if within.Rooted || within.Contained {
			job.Root = fmt.Sprintf("/proc/%d/root", f.Workload.PID)
		}
		if within.NetNS {
			job.NetNS = fmt.Sprintf("/proc/%d/ns/net", f.Workload.PID)
		}
		job.Seccomp = within.Seccomp
		job.Cgroup = Cgroup{Dirs: fromHere(within.Cgroup.Dirs), Joined: true}
		return nil
	})
}

// alive returns an error if the workload has ended within which another one runs.
func (j *Join) alive() error {
	if j == nil {
		return nil
	}
	if now, err := identify(j.First.PID); err != nil || now != j.First {
		return errNotRunning()
	}
	return nil
}

// enter takes this thread, which becomes the workload, into the namespaces and the root of
// the workload within which it runs.
func (job *Job) enter() error {
	root, err := unix.Open(job.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	var spaces []*os.File
	for _, name := range []string{"uts", "mnt"} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", job.Joins.First.PID, name))
		if err != nil {
			return err
		}
		spaces = append(spaces, f)
	}
	for _, f := range spaces {
		if err := unix.Setns(int(f.Fd()), 0); err != nil {
			return fmt.Errorf("namespace: %w", err)
		}
	}
	if err := unix.Fchdir(root); err != nil {
		return err
	}
	return unix.Chroot(".")
}

// endWith kills what descends from this process when the workload has ended within which
// it runs. It never returns.
func (j *Join) endWith() {
	_ = j.First.await(context.Background())
	for {
		killChildren()
		time.Sleep(10 * time.Millisecond)
	}
}

// killChildren kills the children of this process. What they leave behind becomes its
// child.
func killChildren() {
	pids, _ := linux.PIDs()
	for _, pid := range pids {
		if s, err := linux.StatOf(pid); err == nil && s.Parent == os.Getpid() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// linger waits until nothing descends from this process any more.
func linger() error {
	for {
		_, err := unix.Wait4(-1, nil, 0, nil)
		switch {
		case errors.Is(err, unix.ECHILD):
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		}
	}
}

// WaitExit waits until a workload's first process has ended, like Wait, but not for what
// is left of the workload.
func WaitExit(ctx context.Context, dir string) (Status, error) {
	for d := 100 * time.Microsecond; ; d = min(2*d, 20*time.Millisecond) {
		f, err := look(dir)
		switch {
		case err != nil:
			return f.Status, err
		case f.Phase == Ended && f.Exit.Source != executor.Lost:
			return f.Status, nil
		case !f.live:
			return finish(ctx, dir, f.Status)
		case f.Workload.PID != 0:
			if err := awaitEither(ctx, f.Workload, f.Monitor); err != nil {
				return f.Status, err
			}
		}
		if !pause(ctx, d) {
			return f.Status, ctx.Err()
		}
	}
}

// fromHere returns cgroups to which a child of this process, which may be elsewhere than the
// one that made them, returns from them to its own.
func fromHere(dirs []CgroupDir) []CgroupDir {
	dirs = slices.Clone(dirs)
	mounts, _ := linux.CgroupMounts()
	homes := linux.OwnCgroups(mounts)
	for i, dir := range dirs {
		for mountpoint, home := range homes {
			if dir.Home != "" && strings.HasPrefix(dir.Path, mountpoint+"/") {
				dirs[i].Home = home
			}
		}
	}
	return dirs
}
