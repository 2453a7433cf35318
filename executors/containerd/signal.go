package containerd

import (
	"context"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// Signal implements [executor.Backend].
func (b *Backend) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if sig < 1 || sig > 64 {
		return executor.Errorf(executor.Invalid, "signal %d does not exist; signals are 1 to 64", int(sig))
	}
	if err := b.ready(ctx); err != nil {
		return err
	}
	r, err := b.record(ctx, ref.ID)
	switch {
	case errdefs.IsNotFound(err) || err == nil && r.ref.Attempt < ref.Attempt:
		return executor.Errorf(executor.NotFound, "container %s is not known to containerd", ref)
	case err != nil:
		return oci.Fault(err)
	case r.ref.Attempt > ref.Attempt || r.exit != nil:
		return endedError(ref)
	}
	if a := b.attempt(ref.ID); a != nil && a.Ref == ref {
		a.Signalled(sig)
	}
	_, err = b.conn.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: r.cid, Signal: uint32(sig)})
	if errdefs.IsNotFound(err) {
		return endedError(ref)
	}
	return oci.Fault(err)
}

func endedError(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s has ended", ref)
}
