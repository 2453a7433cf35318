package lifecycle

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Delete implements [executor.Backend]. By this call the host says that it needs
// nothing more of the attempt, so an attempt whose exit the host has not taken is
// deleted too.
func (b *Backend[J, P]) Delete(ctx context.Context, ref executor.Ref) error {
	if b.further(ref) {
		return b.execs.Delete(ctx, ref)
	}
	if err := b.check(ref); err != nil {
		return err
	}
	unlock, err := b.lock(ctx, ref)
	if err != nil {
		return err
	}
	defer unlock()
	if a, _ := b.known(ref); a != nil {
		switch {
		case a.ref != ref:
			return nil
		case !a.status().State.Ended():
			return errRuns(ref)
		}
		b.forget(ref)
		return b.remove(ctx, ref, a.process)
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
	return b.remove(ctx, ref, f.Process)
}

// remove removes all of a process, and what is left of the further processes of its
// attempt, and of earlier ones.
func (b *Backend[J, P]) remove(ctx context.Context, ref executor.Ref, p P) error {
	if b.execs != nil {
		if err := b.execs.removeOf(ctx, ref); err != nil {
			return err
		}
	}
	return p.Remove(ctx)
}

func errRuns(ref executor.Ref) error {
	return executor.Errorf(executor.FailedPrecondition, "%s is running; stop it first", called(ref))
}
