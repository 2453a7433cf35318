package shim

import (
	"context"

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
	r, err := b.record(ref.ID)
	if err != nil {
		return err
	}
	if r.Ref != ref {
		return nil
	}
	if a := b.watched(ref.ID); a != nil && a.Ref == ref && !a.Status().State.Ended() {
		return runs(ref)
	} else if a == nil {
		f, err := b.look(ctx, r)
		if err != nil {
			return err
		}
		f.close()
		if f.phase == running {
			return runs(ref)
		}
	}
	if err := failpoint.Hit("shim.delete.looked"); err != nil {
		return err
	}
	b.stopWatching(ref.ID)
	b.guard.Forget(ref)
	return b.destroy(ctx, r)
}

func runs(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s is running; stop it first", ref)
}
