package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Logs copies the output of the attempts of a container to sink, in their order: that of
// all that are kept, or of one. With Follow it goes on until no attempt will come.
func (m *Manager) Logs(ctx context.Context, reference string, opts api.LogOptions, sink api.Sink) error {
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	first, last, err := attempts(c, opts)
	if err != nil {
		return err
	}
	if opts.Attempt != 0 {
		opts.From.Attempt = first
	}
	if opts.Tail != nil {
		var tail int
		if first, tail, err = m.tailStart(ctx, c, first, opts); err != nil {
			return err
		}
		opts.Tail = &tail
	}
	for n := first; n <= last; n++ {
		if n > c.Attempt {
			if c, err = m.awaitAttempt(ctx, c.ID, n, opts.Attempt != 0); c == nil || err != nil {
				return err
			}
		}
		if n != opts.From.Attempt {
			opts.From.Stdout, opts.From.Stderr = 0, 0
		}
		err := m.logAttempt(ctx, c, n, opts, sink)
		kept := !errors.Is(err, executor.NotFound)
		if err != nil && (kept || n >= min(last, c.Attempt)) {
			return err
		}
		opts.Tail = nil
		if n >= c.Attempt && !opts.Until.IsZero() && time.Now().After(opts.Until) {
			return nil
		}
	}
	return nil
}

// attempts returns which attempts opts ask for.
func attempts(c *store.Container, opts api.LogOptions) (first, last int, err error) {
	const endless = int(^uint(0) >> 1)
	n := opts.Attempt
	switch {
	case n == 0 && opts.Follow:
		return max(1, opts.From.Attempt, c.Attempt-keepAttempts+1), endless, nil
	case n == 0:
		return max(1, opts.From.Attempt, c.Attempt-keepAttempts+1), c.Attempt, nil
	case n < 0:
		n += c.Attempt
	}
	switch {
	case n < 1:
		err = executor.Errorf(executor.NotFound, "container %s has no attempt before its attempt %d", c.ID, c.Attempt+opts.Attempt+1)
	case n > c.Attempt && !opts.Follow:
		err = executor.Errorf(executor.NotFound, "container %s has no attempt %d; its present one is %d, and to follow waits for those to come", c.ID, n, c.Attempt)
	}
	return n, n, err
}

// tailStart returns the attempt in which the last lines that opts ask for begin, and how
// many lines before its end.
func (m *Manager) tailStart(ctx context.Context, c *store.Container, first int, opts api.LogOptions) (start, tail int, err error) {
	tail = max(0, *opts.Tail)
	for n := c.Attempt; n > first; n-- {
		lines, err := m.outputs.Lines(ctx, m.files(c, executor.Ref{ID: c.ID, Attempt: n}), opts, tail)
		switch {
		case errors.Is(err, executor.NotFound):
			continue
		case err != nil:
			return 0, 0, err
		case lines >= tail:
			return n, tail, nil
		}
		tail -= lines
	}
	return first, tail, nil
}

// awaitAttempt waits until an attempt begins, and returns the record then. It returns nil
// if there will be none, because the container has ended for good or is removed. patient
// waits also for a start by a user.
func (m *Manager) awaitAttempt(ctx context.Context, id string, n int, patient bool) (*store.Container, error) {
	for {
		changed := m.store.Changed()
		c, err := m.record(id)
		switch {
		case errors.Is(err, executor.NotFound) && !patient:
			return nil, nil
		case err != nil:
			return nil, err
		case c.Attempt >= n:
			return c, nil
		case !patient && ended(c) && c.RestartAt.IsZero() && c.State != store.Created:
			return nil, nil
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// logAttempt copies the output of one attempt.
func (m *Manager) logAttempt(ctx context.Context, c *store.Container, n int, opts api.LogOptions, sink api.Sink) error {
	ref := executor.Ref{ID: c.ID, Attempt: n}
	e, leave := m.await(ref)
	defer leave()
	for {
		changed := m.store.Changed()
		// Read after registering, so that no end is missed in between.
		end, notStarted := m.endOf(ref)
		live := end == nil && notStarted == nil
		var done <-chan struct{}
		if opts.Follow && live {
			done = e.done
		}
		err := m.outputs.Copy(ctx, m.files(c, ref), opts, done, sink)
		if !errors.Is(err, executor.NotFound) {
			return err
		}
		// There are no files: of an attempt that could not be started, or not yet.
		if errors.Is(notStarted, executor.FailedPrecondition) {
			return nil
		}
		now, rerr := m.record(ref.ID)
		switch {
		case rerr != nil:
			return rerr
		case n < now.Attempt:
			return executor.Errorf(executor.NotFound, "the output of attempt %d of container %s is not kept any more", n, ref.ID)
		case now.State != store.Creating || !live:
			return err
		}
		if !opts.Follow {
			return nil
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return err
		}
	}
}
