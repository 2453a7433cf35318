package shim

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// List implements [executor.Backend]. What a Create is making just now is left
// out, and so is what never ran.
func (b *Backend) List(ctx context.Context) ([]executor.Status, error) {
	ids, _, err := b.state.ids()
	if err != nil {
		return nil, err
	}
	list := make([]executor.Status, 0, len(ids))
	for _, id := range ids {
		st, ok := b.statusOf(ctx, id)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if ok {
			list = append(list, st)
		}
	}
	return list, nil
}

// statusOf gives the status of a container. A watched one is known best by its
// watcher, which may be working on it just now.
func (b *Backend) statusOf(ctx context.Context, id string) (executor.Status, bool) {
	a, creating := b.attempts.Get(id)
	if a != nil {
		return a.Status(), true
	}
	if creating {
		return executor.Status{}, false
	}
	r, err := b.record(id)
	if err != nil || r.Ref.ID == "" {
		return executor.Status{}, false
	}
	f, err := b.look(ctx, r)
	if err != nil {
		// Its shim lives, so it runs as far as anybody knows.
		b.log.Warn("shim does not answer", "ref", r.Ref, "error", err)
		f.State = executor.Running
		return f.Status, true
	}
	f.close()
	if f.phase == neverRan {
		f.State, f.Exit = executor.Exited, executor.LostExit("the attempt was never started")
	}
	return f.Status, true
}
