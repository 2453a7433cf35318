package containers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// ending is the end of an attempt that somebody waits for.
type ending struct {
	done    chan struct{}
	end     *api.End // nil if the attempt could not be started
	waiters int
}

// await registers a waiter for the end of an attempt.
func (m *Manager) await(ref executor.Ref) (*ending, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.ends[ref]
	if e == nil {
		e = &ending{done: make(chan struct{})}
		m.ends[ref] = e
	}
	e.waiters++
	return e, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if e.waiters--; e.waiters == 0 && m.ends[ref] == e {
			delete(m.ends, ref)
		}
	}
}

// notify wakes those who wait for the end of an attempt. Call it after the commit.
func (m *Manager) notify(ref executor.Ref, end *api.End) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.ends[ref]; e != nil {
		e.end = end
		close(e.done)
		delete(m.ends, ref)
	}
}

// Wait waits for the end of a container's present attempt and returns it. The error
// for a container that could not be started is [executor.FailedPrecondition].
// reference is an id, a name or the beginning of an id.
func (m *Manager) Wait(ctx context.Context, reference string) (*api.End, error) {
	return m.WaitAttempt(ctx, reference, 0)
}

// WaitAttempt is like Wait for any attempt, also one that ended long ago; 0 means the
// present one, or the first of a container that was not started yet. The error for an attempt that never was is [executor.NotFound].
func (m *Manager) WaitAttempt(ctx context.Context, reference string, attempt int) (*api.End, error) {
	ref, err := m.attempt(reference, attempt)
	if err != nil {
		return nil, err
	}
	return m.waitFor(ctx, ref, m.endOf)
}

// waitFor waits for the end of a process. endOf returns it, or nil.
func (m *Manager) waitFor(ctx context.Context, ref executor.Ref, endOf func(executor.Ref) (*api.End, error)) (*api.End, error) {
	e, leave := m.await(ref)
	defer leave()
	// Read after registering, so that no end is missed in between.
	if end, err := endOf(ref); end != nil || err != nil {
		return end, err
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-m.ctx.Done():
		return nil, errClosing()
	}
	if e.end != nil {
		return e.end, nil
	}
	return endOf(ref)
}

// attempt returns the ref of an attempt of a container; 0 means the present one, or the
// first if it was not started yet.
func (m *Manager) attempt(reference string, attempt int) (executor.Ref, error) {
	record, err := m.record(reference)
	if err != nil {
		return executor.Ref{}, err
	}
	if attempt == 0 {
		attempt = max(record.Attempt, 1)
	}
	return executor.Ref{ID: record.ID, Attempt: attempt}, nil
}

// endOf returns the end of an attempt, or nil if it has not ended.
func (m *Manager) endOf(ref executor.Ref) (end *api.End, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		c, err := tx.Container(ref.ID)
		switch {
		case err != nil:
			return err
		case c.State == store.Created && ref.Attempt == 1:
			return nil
		case ref.Attempt < 1 || ref.Attempt > c.Attempt:
			return executor.Errorf(executor.NotFound, "container %s has no attempt %d", ref.ID, ref.Attempt)
		case ref.Attempt == c.Attempt && !ended(c):
			return nil
		case ref.Attempt == c.Attempt && c.State == store.Failed:
			return failed(c)
		}
		exit, err := tx.Exit(ref)
		if errors.Is(err, executor.NotFound) {
			return executor.Errorf(executor.FailedPrecondition, "attempt %d of container %s could not be started", ref.Attempt, ref.ID)
		}
		if err == nil {
			end = viewEnd(exit)
		}
		return err
	})
	return end, err
}

func failed(c *store.Container) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s could not be started: %s", c.ID, c.Error)
}

// Inspect returns a container by id, name or the beginning of an id.
func (m *Manager) Inspect(reference string) (c api.Container, err error) {
	var record *store.Container
	var spec json.RawMessage
	err = m.store.View(func(tx *store.Tx) error {
		if record, err = tx.Find(reference); err == nil {
			c = m.view(tx, record)
			spec, _ = tx.Spec(record.ID) // without it there is less to see
		}
		return err
	})
	if err != nil {
		return c, err
	}
	c.Health, c.Details = m.viewHealth(record), m.details(record, spec)
	// Of one that failed to start there may be no files.
	if stdout, stderr, err := m.files(record, record.Ref()).Usage(); err == nil {
		c.Output = map[string]api.OutputUsage{api.Stdout.String(): api.OutputUsage(stdout)}
		if !record.Stdio.Merged {
			c.Output[api.Stderr.String()] = api.OutputUsage(stderr)
		}
	}
	return c, nil
}

// List returns all containers, oldest first.
func (m *Manager) List() (all []api.Container, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		records, err := tx.Containers()
		for _, record := range records {
			all = append(all, m.view(tx, record))
		}
		return err
	})
	slices.SortStableFunc(all, func(a, b api.Container) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, err
}
