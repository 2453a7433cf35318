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
	"github.com/davit-run/davit/shared/failpoint"
)

// undo removes what a failed create has made and gives the error to return.
func (b *Backend) undo(ctx context.Context, p plan, cause error) error {
	ctx, cancel := oci.Detach(ctx, cleanupTimeout)
	defer cancel()
	_ = failpoint.Hit("containerd.undo.begin")
	err := b.ready(ctx)
	tidy := p.errors.Reset
	if m, started := b.marks.read(p.cid, p.ref.Attempt); started {
		tidy = m.Errors.Remove
	}
	if err == nil {
		// Should this be cut off, its kill must not pass for the workload's end.
		err = b.marks.remove(p.cid)
	}
	if err == nil {
		err = b.destroy(ctx, p.ref, tidy)
	}
	if err == nil {
		err = tidy() // there may have been no record
	}
	if err != nil {
		return executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", cause, err)
	}
	return cause
}

// undoFor is undo that gives another error, unless the removal fails.
func (b *Backend) undoFor(ctx context.Context, p plan, cause, instead error) error {
	if err := b.undo(ctx, p, oci.Fault(cause)); errors.Is(err, executor.OutcomeUnknown) {
		return err
	}
	return instead
}

// destroy removes all of an attempt in whatever state it is, and tells nobody. tidy,
// if not nil, removes what was written in the name of its workload.
func (b *Backend) destroy(ctx context.Context, ref executor.Ref, tidy func() error) error {
	r, err := b.record(ctx, ref.ID)
	if errdefs.IsNotFound(err) {
		return nil
	}
	if err != nil || r.ref != ref {
		return err
	}
	return b.demolish(ctx, r, tidy)
}

// unmake removes all of an attempt that never ran, and what was written in the
// name of its workload.
func (b *Backend) unmake(ctx context.Context, r record) error {
	return b.demolish(ctx, r, r.errors.Reset)
}

func (b *Backend) demolish(ctx context.Context, r record, tidy func() error) error {
	if err := b.killTask(ctx, r.cid); err != nil {
		return err
	}
	_ = failpoint.Hit("containerd.destroy.killed")
	return b.dropRecord(ctx, r, tidy)
}

// killTask ends a task and deletes it. The kill comes first: to delete a task
// that was never started takes some shims seconds. The first shim refuses for ever
// or hangs, if its daemon was killed before it had made the container; it is killed
// then.
func (b *Backend) killTask(ctx context.Context, cid string) error {
	begin := time.Now()
	for d := time.Millisecond; ; d = min(2*d, 100*time.Millisecond) {
		if time.Since(begin) > taskWait {
			if shim := findShim(cid); shim != nil {
				b.log.Warn("a shim that does not let go of its task is killed", "container", cid, "pid", shim.Pid)
				_ = shim.Kill()
				_ = shim.Release()
			}
			begin = time.Now()
		}
		err := b.killTaskOnce(ctx, cid)
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if !oci.Pause(ctx, d) {
			return err
		}
	}
}

func (b *Backend) killTaskOnce(ctx context.Context, cid string) error {
	ctx, cancel := context.WithTimeout(ctx, taskWait)
	defer cancel()
	_, err := b.conn.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: cid, Signal: uint32(syscall.SIGKILL), All: true})
	if err != nil && !errdefs.IsNotFound(err) {
		b.log.Debug("kill failed", "container", cid, "error", err)
	}
	_, err = b.conn.tasks.Delete(ctx, &tasksapi.DeleteTaskRequest{ContainerID: cid})
	return err
}
