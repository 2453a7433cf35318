package containers

import (
	"context"
	"errors"
	"fmt"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// WaitFor waits for a condition, and returns the end of the last attempt, or nil if it is
// not known any more, or the condition is healthy. For next-exit attempt may name the
// attempt, which need not have begun.
func (m *Manager) WaitFor(ctx context.Context, reference string, condition api.WaitCondition, attempt int) (*api.End, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	if attempt < 0 || attempt > 0 && condition != api.WaitNextExit {
		return nil, executor.Errorf(executor.Invalid, "attempt %d: only the condition %s takes an attempt, of at least 1", attempt, api.WaitNextExit)
	}
	switch condition {
	case api.WaitNotRunning:
		if c.State == store.Created {
			return nil, executor.Errorf(executor.FailedPrecondition, "container %s was not started yet, so it has no exit code", c.ID)
		}
		return m.WaitAttempt(ctx, c.ID, c.Attempt)
	case api.WaitNextExit:
		if attempt == 0 {
			if attempt = c.Attempt; ended(c) {
				attempt++
			}
		}
		return m.waitNext(ctx, executor.Ref{ID: c.ID, Attempt: attempt})
	case api.WaitRemoved:
		return m.waitRemoved(ctx, c)
	case api.WaitHealthy:
		return nil, m.waitHealthy(ctx, c.ID)
	}
	return nil, executor.Errorf(executor.Invalid, "condition %q is not known; use one of %s", condition, fmt.Sprint(api.WaitConditions()))
}

// waitNext waits for the end of an attempt that may not have begun.
func (m *Manager) waitNext(ctx context.Context, ref executor.Ref) (*api.End, error) {
	for {
		changed := m.store.Changed()
		c, err := m.record(ref.ID)
		switch {
		case err != nil:
			return nil, err
		case c.Attempt >= ref.Attempt:
			return m.WaitAttempt(ctx, ref.ID, ref.Attempt)
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// waitRemoved waits until a container is removed.
func (m *Manager) waitRemoved(ctx context.Context, c *store.Container) (last *api.End, err error) {
	for {
		ref := c.Ref()
		e, leave := m.await(ref)
		changed := m.store.Changed()
		if end, _ := m.endOf(ref); end != nil {
			last = end
		}
		for err == nil && c.Attempt == ref.Attempt {
			if c, err = m.record(ref.ID); err != nil || c.Attempt != ref.Attempt {
				break
			}
			err = m.awaitChange(ctx, changed)
			changed = m.store.Changed()
		}
		select {
		case <-e.done: // who sees the end is told before anything is removed
			if e.end != nil {
				last = e.end
			}
		default:
		}
		leave()
		switch {
		case errors.Is(err, executor.NotFound):
			return last, nil
		case err != nil:
			return nil, err
		}
	}
}
