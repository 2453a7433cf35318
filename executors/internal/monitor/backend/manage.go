package backend

import (
	"context"
	"os"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
)

// Restore implements [executor.Backend].
func (b *Backend) Restore(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	if err := ref.Validate(); err != nil {
		return executor.Status{}, err
	}
	f, known, err := b.look(ref.ID)
	if err != nil {
		return executor.Status{}, err
	}
	if !known || f.Ref != ref {
		return executor.Status{}, unknown(ref)
	}
	b.guard.Watch(ref, stdio, 0)
	st, ran, err := b.adopt(ctx, ref.ID)
	if err != nil {
		return executor.Status{}, fault(err)
	}
	if !ran {
		if err := b.destroy(ctx, ref.ID); err != nil {
			return executor.Status{}, err
		}
		return executor.Status{}, executor.Errorf(executor.NotFound, "container %s was never started", ref)
	}
	return st, nil
}

// List implements [executor.Backend]. What a Create is making just now is left
// out, and so is what never ran.
func (b *Backend) List(ctx context.Context) ([]executor.Status, error) {
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, err
	}
	list := make([]executor.Status, 0, len(entries))
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, fault(err)
		}
		if st, ok := b.statusOf(e.Name()); ok {
			list = append(list, st)
		}
	}
	return list, nil
}

// statusOf gives the status of a container. A watched one is known best by its
// watcher, which may be working on it just now.
func (b *Backend) statusOf(id string) (executor.Status, bool) {
	b.mu.Lock()
	a, creating := b.attempts[id], b.creating[id]
	b.mu.Unlock()
	if a != nil {
		return a.status(), true
	}
	if creating {
		return executor.Status{}, false
	}
	f, known, err := b.look(id)
	if err != nil {
		b.log.Warn("container's record is not readable", "id", id, "error", err)
	}
	if err != nil || !known {
		return executor.Status{}, false
	}
	if f.phase == monitor.NeverRan {
		f.State, f.Exit = executor.Exited, executor.LostExit("the attempt was never started")
	}
	return f.Status, true
}

// Signal implements [executor.Backend].
func (b *Backend) Signal(_ context.Context, ref executor.Ref, sig executor.Signal) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	if sig < 1 || sig > 64 {
		return executor.Errorf(executor.Invalid, "signal %d does not exist; signals are 1 to 64", int(sig))
	}
	f, known, err := b.look(ref.ID)
	switch {
	case err != nil:
		return err
	case !known, f.Ref.Attempt < ref.Attempt:
		return unknown(ref)
	case f.Ref.Attempt > ref.Attempt:
		return endedError(ref)
	}
	if err := monitor.Signal(b.path(ref.ID), sig); executor.CodeOf(err) == executor.FailedPrecondition {
		return endedError(ref)
	} else if err != nil {
		return err
	}
	return nil
}

// Delete implements [executor.Backend]. The call is the host's word that it needs
// nothing more of the attempt, so one whose exit the host has not taken is
// deleted too.
func (b *Backend) Delete(ctx context.Context, ref executor.Ref) error {
	if err := ref.Validate(); err != nil {
		return err
	}
	f, known, err := b.look(ref.ID)
	if err != nil {
		return err
	}
	if !known || f.Ref != ref {
		return nil
	}
	st := f.Status
	if a := b.watched(ref.ID); a != nil {
		st = a.status()
	}
	if !st.State.Ended() && f.phase != monitor.NeverRan {
		return executor.Errorf(executor.FailedPrecondition, "container %s is running; stop it first", ref)
	}
	b.stopWatching(ref.ID)
	return b.destroy(ctx, ref.ID)
}
