package shim

import (
	"context"
	"errors"
	"io/fs"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// undo removes what a failed create has made and returns the error for the caller.
func (d *driver) undo(ctx context.Context, r record, t *task, cause error) error {
	ctx, cancel := oci.Detach(ctx, cleanupTimeout)
	defer cancel()
	_, err := get[mark](d.state, r.Ref.ID, markFile)
	neverRan := errors.Is(err, fs.ErrNotExist)
	// If this is cut off, its kill must not be taken for the workload's end.
	err = d.state.drop(r.Ref.ID, markFile)
	if err == nil {
		err = d.removeWith(ctx, t, r, neverRan)
	}
	if err != nil {
		return executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", cause, err)
	}
	return cause
}

// remove kills and removes an attempt in any state, without notifying anybody. For an
// attempt that never ran it also removes what was written in the name of its
// workload.
func (d *driver) remove(ctx context.Context, r record, neverRan bool) error {
	var t *task
	if r.Boot == d.boot {
		t, _ = d.reach(ctx, r) // without a shim there is more to do, and it is done
	}
	return oci.Fault(d.removeWith(ctx, t, r, neverRan))
}

// removeWith is remove with a connection to the shim, nil if there is none. It closes
// the connection.
func (d *driver) removeWith(ctx context.Context, t *task, r record, neverRan bool) error {
	clean := false
	if t != nil {
		ending, cancel := context.WithTimeout(ctx, endTimeout)
		clean = d.endTask(ending, r, t)
		cancel()
		t.close()
	}
	if !clean {
		if err := d.forceRemove(ctx, r); err != nil {
			return err
		}
	}
	removeErrors := r.Errors.Remove
	if neverRan {
		removeErrors = r.Errors.Reset
	}
	if err := removeErrors(); err != nil {
		return err
	}
	if err := d.removeShimFiles(ctx, r); err != nil {
		return err
	}
	return d.state.remove(r.Ref.ID)
}

// endTask kills what runs, deletes the task and ends the shim, and reports whether the
// shim has done all of that. The kill comes first: some shims need seconds to delete a
// task that was never started.
func (d *driver) endTask(ctx context.Context, r record, t *task) bool {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		kerr := t.kill(ctx, syscall.SIGKILL, true)
		if errors.Is(kerr, context.DeadlineExceeded) {
			return false // it does not answer
		}
		err := t.delete(ctx)
		switch {
		case err == nil:
			return t.shutdown(ctx) == nil
		case errdefs.IsNotFound(err):
			// It does not know the task, which its runtime may have made all the same.
			_ = t.shutdown(ctx)
			return false
		case gone(err):
			return false
		}
		d.log.Debug("delete failed", "ref", r.Ref, "error", err, "kill_error", kerr)
		t.thaw(ctx)
		if !oci.Pause(ctx, wait) {
			return false
		}
	}
}

// removeShimFiles removes what is needed only while there is a shim: its socket, the
// container's cgroup and the bundle. What then still runs in the cgroup is killed: a
// runtime may say that it has ended all, and be wrong.
func (d *driver) removeShimFiles(ctx context.Context, r record) error {
	if c, err := d.contact(r); err == nil {
		if path, err := c.socket(); err == nil {
			if err := removeSocket(path); err != nil {
				return err
			}
		}
	}
	if err := d.endRemains(ctx, r); err != nil {
		return err
	}
	d.cgroups.Tidy()
	return d.state.removeBundle(r)
}
