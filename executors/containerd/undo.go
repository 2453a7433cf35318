package containerd

import (
	"context"
	"errors"
	"syscall"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// undo removes what a failed create has made and returns the error for the caller.
func (d *driver) undo(ctx context.Context, p *plan, cause error) error {
	ctx, cancel := oci.Detach(ctx, cleanupTimeout)
	defer cancel()
	defer d.endRest(p.cid)
	err := d.ready(ctx)
	tidy := p.errors.Reset
	if m, started := d.marks.read(p.cid, p.ref.Attempt); started {
		tidy = m.Errors.Remove
	}
	if err == nil {
		// If this is cut off, its kill must not be taken for the workload's end.
		err = d.marks.remove(p.cid)
	}
	if err == nil {
		err = d.remove(ctx, p.ref, tidy)
	}
	if err == nil {
		err = tidy() // there may have been no record
	}
	if err != nil {
		return executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", cause, err)
	}
	return cause
}

// undoFor is undo that returns another error, unless the removal fails.
func (d *driver) undoFor(ctx context.Context, p *plan, cause, instead error) error {
	if err := d.undo(ctx, p, oci.Fault(cause)); errors.Is(err, executor.OutcomeUnknown) {
		return err
	}
	return instead
}

// remove kills and removes an attempt in any state, and notifies nobody. tidy,
// unless nil, removes what was written in the name of its workload.
func (d *driver) remove(ctx context.Context, ref executor.Ref, tidy func() error) error {
	r, err := d.record(ctx, ref.ID)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil || r.ref != ref {
		return err
	}
	return d.removeAttempt(ctx, r, tidy)
}

// removeAttempt does what remove does, for a record that was read.
func (d *driver) removeAttempt(ctx context.Context, r record, tidy func() error) error {
	deleted, err := d.killTask(ctx, r.cid)
	if err != nil {
		return err
	}
	d.endRest(r.cid)
	return d.removeRecord(ctx, r, !deleted && r.output == "", tidy)
}

// killTask ends a task and deletes it, and reports whether there was one. The kill comes
// first: some shims need seconds
// to delete a task that was never started. A shim of the first generation refuses for
// ever or hangs if its daemon was killed before it had made the container. Then the
// shim is killed.
func (d *driver) killTask(ctx context.Context, cid string) (deleted bool, err error) {
	begin := time.Now()
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		if time.Since(begin) > taskWait {
			d.killShims(cid, "a shim that does not release its task is killed")
			begin = time.Now()
		}
		err := d.killTaskOnce(ctx, cid)
		if err == nil || errdefs.IsNotFound(err) {
			return err == nil, nil
		}
		if !oci.Pause(ctx, wait) {
			return false, err
		}
	}
}

// killShims kills the shims that were started for a container, and reports whether there
// were any.
func (d *driver) killShims(cid, why string) bool {
	shims := findShims(cid)
	for _, shim := range shims {
		d.log.Warn(why, "container", cid, "pid", shim.PID)
		_ = shim.Signal(syscall.SIGKILL)
		_ = shim.Close()
	}
	return len(shims) > 0
}

func (d *driver) killTaskOnce(ctx context.Context, cid string) error {
	ctx, cancel := context.WithTimeout(ctx, taskWait)
	defer cancel()
	_, err := d.conn.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: cid, Signal: uint32(syscall.SIGKILL), All: true})
	if err != nil && !errdefs.IsNotFound(err) {
		d.log.Debug("kill failed", "container", cid, "error", err)
	}
	d.thaw(ctx, cid)
	_, err = d.conn.tasks.Delete(ctx, &tasksapi.DeleteTaskRequest{ContainerID: cid})
	return err
}
