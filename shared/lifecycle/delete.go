package lifecycle

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Delete implements [executor.Backend]. By this call the host says that it needs
// nothing more of the attempt, so an attempt whose exit the host has not taken is
// deleted too.
func (b *Backend[J, P]) Delete(ctx context.Context, ref executor.Ref) error {
	if err := check(ref); err != nil {
		return err
	}
	if a, _ := b.known(ref); a != nil {
		switch {
		case a.ref != ref:
			return nil
		case !a.status().State.Ended():
			return errRuns(ref)
		}
		b.forget(ref)
		return a.process.Remove(ctx)
	}
	f, ok, err := b.find(ctx, ref)
	if !ok {
		return err
	}
	defer closeProcess(f.Process)
	switch {
	case f.Status.Ref != ref:
		return nil
	case f.Phase == Running:
		return errRuns(ref)
	}
	b.forget(ref)
	return f.Process.Remove(ctx)
}

func errRuns(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s is running; stop it first", ref)
}
