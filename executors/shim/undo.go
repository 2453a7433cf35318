package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"golang.org/x/sys/unix"
)

// undo removes what a failed create has made and gives the error to return.
func (b *Backend) undo(ctx context.Context, r record, t *task, cause error) error {
	ctx, cancel := oci.Detach(ctx, cleanupTimeout)
	defer cancel()
	cause = oci.Fault(cause)
	_, err := get[mark](b.state, r.Ref.ID, markFile)
	if err := b.demolish(ctx, r, t, errors.Is(err, fs.ErrNotExist)); err != nil {
		return executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", cause, err)
	}
	return cause
}

// destroy removes all of an attempt in whatever state it is, and tells nobody.
func (b *Backend) destroy(ctx context.Context, r record) error {
	return b.reachAndDemolish(ctx, r, false)
}

// unmake is destroy for an attempt that never ran: it also removes what was
// written in the name of its workload. After a power failure nobody knows.
func (b *Backend) unmake(ctx context.Context, r record) error {
	return b.reachAndDemolish(ctx, r, r.Boot == b.boot)
}

func (b *Backend) reachAndDemolish(ctx context.Context, r record, neverRan bool) error {
	var t *task
	if r.Boot == b.boot {
		t, _ = b.reach(ctx, r) // without a shim there is more to do, and it is done
	}
	return oci.Fault(b.demolish(ctx, r, t, neverRan))
}

// demolish removes all of an attempt. t is the connection to its shim, nil if
// there is none; it is closed.
func (b *Backend) demolish(ctx context.Context, r record, t *task, neverRan bool) error {
	clean := false
	if t != nil {
		ending, cancel := context.WithTimeout(ctx, endTimeout)
		clean = b.endTask(ending, r, t) == nil
		cancel()
		t.close()
	}
	if !clean || b.orphaned(r) {
		if err := b.bury(ctx, r); err != nil {
			return err
		}
	}
	_ = failpoint.Hit("shim.destroy.ended")
	tidy := r.Errors.Remove
	if neverRan {
		tidy = r.Errors.Reset
	}
	if err := tidy(); err != nil {
		return err
	}
	if err := b.clear(r); err != nil {
		return err
	}
	_ = failpoint.Hit("shim.destroy.cleared")
	return b.state.remove(r.Ref.ID)
}

// endTask kills what runs, deletes the task and ends the shim. The kill comes
// first: to delete a task that was never started takes some shims seconds.
func (b *Backend) endTask(ctx context.Context, r record, t *task) error {
	for d := time.Millisecond; ; d = min(2*d, 100*time.Millisecond) {
		kerr := t.kill(ctx, syscall.SIGKILL, true)
		err := t.delete(ctx)
		if err == nil || errdefs.IsNotFound(err) {
			return t.shutdown(ctx)
		}
		if gone(err) {
			return err
		}
		b.log.Debug("delete failed", "ref", r.Ref, "error", err, "kill_error", kerr)
		if !oci.Pause(ctx, d) {
			return err
		}
	}
}

// orphaned reports whether the OCI runtime still knows a container although its
// shim does not. Shims leave one behind when they fail after the runtime has made
// it, for instance because an output file cannot be opened.
func (b *Backend) orphaned(r record) bool {
	if r.OCI == "" {
		return true // nobody knows, so somebody should look
	}
	_, err := os.Stat(filepath.Join(r.Root, b.owner.ContainerID(r.Ref.ID)))
	return err == nil
}

// bury removes what a shim leaves behind that could not tidy up: itself, if it
// hangs, and the container. It changes nothing if that was done.
func (b *Backend) bury(ctx context.Context, r record) error {
	if r.Boot != b.boot {
		return nil
	}
	bundle := b.state.bundle(r.Ref.ID)
	if _, err := os.Stat(bundle); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := killWithin(ctx, bundle); err != nil {
		return err
	}
	var cmd *exec.Cmd
	switch {
	case r.OCI == "":
		cmd = b.shimCommand(ctx, r, "-bundle", bundle, "delete")
	case b.orphaned(r):
		// What the shims of runc do, some of which refuse without a socket.
		cmd = exec.CommandContext(ctx, r.OCI, "--root", r.Root, "delete", "--force", b.owner.ContainerID(r.Ref.ID))
		cmd.Dir, cmd.Env = bundle, environment()
	default:
		return nil
	}
	_, err := output(cmd)
	return err
}

// clear removes what is needed only while there is a shim.
func (b *Backend) clear(r record) error {
	if c, err := b.contact(r); err == nil {
		if path, err := c.socket(); err == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	b.owner.RemoveCgroup(b.config.CgroupParent, b.owner.ContainerID(r.Ref.ID))
	return b.state.removeBundle(r.Ref.ID)
}

// killWithin kills the processes whose working directory is dir, and waits for
// their end. Only shims and the OCI runtimes that they run work in a bundle.
func killWithin(ctx context.Context, dir string) error {
	for d := time.Millisecond; ; d = min(2*d, 50*time.Millisecond) {
		pids := processesWithin(dir)
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			// The descriptor is of the process that is looked at now, and not of
			// another that took its number since.
			if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && cwd == dir {
				_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
			_ = unix.Close(fd)
		}
		if !oci.Pause(ctx, d) {
			return fmt.Errorf("processes %v in %s do not end: %w", pids, dir, ctx.Err())
		}
	}
}

func processesWithin(dir string) []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if cwd, err := os.Readlink(link); err == nil && cwd == dir {
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && pid != os.Getpid() {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
