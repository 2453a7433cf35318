package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Restore implements [executor.Backend].
func (b *Backend[J, P]) Restore(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	if b.further(ref) {
		return b.execs.Restore(ctx, ref, stdio)
	}
	if err := b.check(ref); err != nil {
		return executor.Status{}, err
	}
	unlock, err := b.lock(ctx, ref)
	if err != nil {
		return executor.Status{}, err
	}
	defer unlock()
	if a, _ := b.known(ref); a != nil {
		if a.ref != ref {
			return executor.Status{}, errUnknown(ref)
		}
		return a.status(), nil
	}
	f, ok, err := b.find(ctx, ref)
	if err != nil {
		return executor.Status{}, err
	}
	if ok && f.Status.Ref != ref {
		closeProcess(f.Process)
	}
	if !ok || f.Status.Ref != ref {
		return executor.Status{}, errUnknown(ref)
	}
	a, f, err := b.adopt(ctx, f, stdio)
	if err != nil {
		return executor.Status{}, err
	}
	if a != nil {
		return a.status(), nil
	}
	defer closeProcess(f.Process)
	b.forget(ref)
	if err := f.Process.Remove(ctx); err != nil {
		return executor.Status{}, err
	}
	return executor.Status{}, executor.Errorf(executor.NotFound, "%s was never started", called(ref))
}

// adopt watches a process that was found because somebody asked for its attempt. It
// starts a process that waits for its start. If the process never ran, adopt returns
// no attempt, and the caller removes and closes what was found. On an error adopt
// closes it.
func (b *Backend[J, P]) adopt(ctx context.Context, f Found[P], stdio executor.Stdio) (*attempt[P], Found[P], error) {
	if f.Phase == Created {
		// If an earlier start is still under way, this one fails, or hangs, and the new
		// phase shows it.
		ref, serr := f.Status.Ref, start(ctx, f.Process)
		closeProcess(f.Process)
		var ok bool
		var err error
		if f, ok, err = b.find(ctx, ref); err != nil {
			return nil, f, err
		}
		if !ok || f.Status.Ref != ref || f.Phase == Created {
			if ok {
				closeProcess(f.Process)
			}
			if serr == nil {
				serr = errors.New("it is not known what became of it")
			}
			return nil, f, executor.Errorf(executor.CodeOf(serr), "start %s: %w", ref, serr)
		}
	}
	if f.Phase == NeverRan {
		return nil, f, nil
	}
	if p, ok := any(f.Process).(Adopter); ok {
		p.Adopt(stdio)
	}
	return b.watch(f.Process, f.Status), f, nil
}

// startTimeout bounds a start that may run into another one: two `runc start` of one
// container can both pass its check, and the second then waits for what the first has
// taken until the container ends. Seen: 50 ms; seconds on a loaded machine.
const startTimeout = 20 * time.Second

func start(ctx context.Context, p any) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s, ok := p.(Starter)
	if !ok {
		return fmt.Errorf("%T is found to wait for its start, and has none", p)
	}
	return s.Start(ctx)
}
