package shim

import (
	"context"

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
	r, err := b.record(ref.ID)
	switch {
	case err != nil:
		return err
	case r.Ref.Attempt < ref.Attempt:
		return unknown(ref)
	case r.Ref.Attempt > ref.Attempt:
		return endedError(ref)
	}
	var t *task
	if a := b.watched(ref.ID); a != nil && a.Ref == ref {
		if a.Status().State.Ended() {
			return endedError(ref)
		}
		a.Signalled(sig)
		t = a.connection()
	} else {
		f, err := b.look(ctx, r)
		if err != nil {
			return err
		}
		defer f.close()
		if f.phase != running {
			return endedError(ref)
		}
		t = f.task
	}
	if t == nil {
		return endedError(ref)
	}
	if err = t.kill(ctx, sig, false); errdefs.IsNotFound(err) || gone(err) {
		return endedError(ref)
	}
	return oci.Fault(err)
}

func endedError(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s has ended", ref)
}
