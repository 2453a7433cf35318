package containerd

import (
	"context"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// Delete implements [executor.Backend]. The call is the host's word that it needs
// nothing more of the attempt, so one whose exit the host has not taken is
// deleted too.
func (b *Backend) Delete(ctx context.Context, ref executor.Ref) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if err := b.ready(ctx); err != nil {
		return err
	}
	r, err := b.record(ctx, ref.ID)
	if err != nil && !errdefs.IsNotFound(err) {
		return oci.Fault(err)
	}
	if err != nil || r.ref != ref {
		return nil
	}
	m, started := b.marks.read(r.cid, ref.Attempt)
	task, err := b.taskOf(ctx, r.cid)
	if err != nil {
		return oci.Fault(err)
	}
	if _, ph := classify(r, task, m, started, b.boot); ph == running {
		return executor.Errorf(executor.FailedPrecondition, "container %s is running; stop it first", ref)
	}
	if err := failpoint.Hit("containerd.delete.looked"); err != nil {
		return err
	}
	b.attempts.Stop(ref.ID)
	b.guard.Forget(ref)
	return oci.Fault(b.destroy(ctx, ref, nil))
}
