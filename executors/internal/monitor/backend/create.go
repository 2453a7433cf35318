package backend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
)

// Create implements [executor.Backend].
func (b *Backend) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	if err := w.Ref.Validate(); err != nil {
		return executor.Status{}, err
	}
	job, err := b.plan(ctx, w)
	if err == nil {
		err = setStdio(&job, w.Stdio)
	}
	if err == nil {
		job.Name = w.Ref.String()
		job.Note, err = json.Marshal(note{Ref: w.Ref, Runtime: w.Runtime.Name})
	}
	if err != nil {
		return executor.Status{}, err
	}
	b.setCreating(w.Ref.ID, true)
	defer b.setCreating(w.Ref.ID, false)

	// The way is tried first, since it is almost always free.
	for range 3 {
		if err := ctx.Err(); err != nil {
			return executor.Status{}, fault(err)
		}
		err := os.Mkdir(b.path(w.Ref.ID), 0o700)
		if err == nil {
			return b.create(ctx, w, job)
		}
		if !errors.Is(err, fs.ErrExist) {
			return executor.Status{}, err
		}
		st, found, err := b.settle(ctx, w.Ref)
		if found || err != nil {
			return st, fault(err)
		}
	}
	return executor.Status{}, executor.Errorf(executor.AlreadyExists, "container %s is being made by somebody else", w.Ref)
}

func (b *Backend) setCreating(id string, on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if on {
		b.creating[id] = true
	} else {
		delete(b.creating, id)
	}
}

// setStdio puts the streams into a job, or says which of them it cannot have.
func setStdio(job *monitor.Job, s executor.Stdio) error {
	if s.Stdin.Kind != executor.StreamNull {
		return executor.Errorf(executor.Unsupported, "stdin is not offered by this executor")
	}
	for _, v := range []struct {
		name string
		executor.Stream
		to *string
	}{{"stdout", s.Stdout, &job.Stdout}, {"stderr", s.Stderr, &job.Stderr}} {
		switch v.Kind {
		case executor.StreamNull:
		case executor.StreamFile:
			*v.to = v.Path
		default:
			return executor.Errorf(executor.Unsupported, "%s: a stream of kind %q is not supported; use a file", v.name, v.Kind)
		}
	}
	return nil
}

// create starts a job in a directory that was just made, or leaves nothing behind.
func (b *Backend) create(ctx context.Context, w executor.Workload, job monitor.Job) (executor.Status, error) {
	id := w.Ref.ID
	st, err := monitor.Start(ctx, b.path(id), job)
	if err != nil {
		if derr := b.destroy(ctx, id); derr != nil {
			return executor.Status{}, executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", err, derr)
		}
		return executor.Status{}, fault(err)
	}
	status := executor.Status{Ref: w.Ref, State: executor.Running, PID: st.PID, StartedAt: st.StartedAt, Runtime: w.Runtime.Name}
	b.guard.Watch(w.Ref, w.Stdio, 0)
	b.watch(status)
	return status, nil
}

// settle deals with what is in the way of a create. found means that it is of the
// same attempt and has a status; otherwise the way is free.
func (b *Backend) settle(ctx context.Context, ref executor.Ref) (st executor.Status, found bool, err error) {
	f, ok, err := b.adopt(ctx, ref.ID)
	if err != nil {
		return st, false, err
	}
	if !ok {
		return st, false, b.destroy(ctx, ref.ID) // was never started
	}
	same := f.Ref.Attempt == ref.Attempt
	switch {
	case f.Ref.Attempt > ref.Attempt:
		return st, false, executor.Errorf(executor.FailedPrecondition, "container %s: attempt %d is known already", ref, f.Ref.Attempt)
	case same:
		return f, true, nil
	case !f.State.Ended():
		return st, false, executor.Errorf(executor.AlreadyExists, "container %s: attempt %d is still running", ref, f.Ref.Attempt)
	}
	if err := b.handOver(ctx, ref.ID); err != nil {
		return st, false, fmt.Errorf("hand over the exit of attempt %d: %w", f.Ref.Attempt, err)
	}
	b.stopWatching(ref.ID)
	return st, false, b.destroy(ctx, ref.ID)
}

// adopt finds out where the attempt of an id stands, and makes sure that it is
// watched. ok is false if nothing of it ever ran.
func (b *Backend) adopt(ctx context.Context, id string) (st executor.Status, ok bool, err error) {
	if a := b.watched(id); a != nil {
		if over, err := a.over(); !over || err == nil {
			return a.status(), true, nil
		}
	}
	for d := time.Millisecond; ; d = min(2*d, 50*time.Millisecond) {
		f, known, err := b.look(id)
		if err != nil || !known || f.phase == monitor.NeverRan {
			return executor.Status{}, false, err
		}
		if f.phase != monitor.Starting {
			b.watch(f.Status)
			return f.Status, true, nil
		}
		// An executor that was killed had just begun to start it.
		select {
		case <-ctx.Done():
			return executor.Status{}, false, ctx.Err()
		case <-time.After(d):
		}
	}
}
