package lifecycle

import (
	"context"
	"errors"

	"github.com/davit-run/davit/shared/executor"
)

// Signal implements [executor.Backend]. It may be called during a Create, Restore or
// Delete of the same id.
func (b *Backend[J, P]) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	if sig < 1 || sig > 64 {
		return executor.Errorf(executor.Invalid, "signal %d does not exist; signals are 1 to 64", int(sig))
	}
	if b.further(ref) {
		return b.execs.Signal(ctx, ref, sig)
	}
	return b.with(ctx, ref, func(p P, a *attempt[P]) error {
		if a != nil {
			a.signalled(sig)
		}
		return p.Signal(ctx, sig)
	})
}

// with calls fn with the process of a ref, which runs or did a moment ago, and with
// the attempt if this process watches it. If there is no such process, the error says
// why.
func (b *Backend[J, P]) with(ctx context.Context, ref executor.Ref, fn func(p P, a *attempt[P]) error) error {
	if err := b.check(ref); err != nil {
		return err
	}
	err := b.withRunning(ctx, ref, fn)
	if errors.Is(err, ErrEnded) {
		return errEnded(ref)
	}
	return err
}

func (b *Backend[J, P]) withRunning(ctx context.Context, ref executor.Ref, fn func(p P, a *attempt[P]) error) error {
	a, creating := b.known(ref)
	if a == nil && creating {
		return executor.Errorf(executor.NotFound, "%s is being created", called(ref))
	}
	if a != nil {
		if err := meant(ref, a.status()); err != nil {
			return err
		}
		return fn(a.process, a)
	}
	f, ok, err := b.find(ctx, ref)
	if err != nil {
		return err
	}
	if !ok {
		return errUnknown(ref)
	}
	defer closeProcess(f.Process)
	if err := meant(ref, f.Status); err != nil {
		return err
	}
	if f.Phase != Running {
		return ErrEnded
	}
	return fn(f.Process, nil)
}

// meant returns an error unless st is the status of the attempt that ref means, and
// it has not ended.
func meant(ref executor.Ref, st executor.Status) error {
	switch {
	case st.Ref.Attempt < ref.Attempt:
		return errUnknown(ref)
	case st.Ref.Attempt > ref.Attempt, st.State.Ended():
		return ErrEnded
	}
	return nil
}
