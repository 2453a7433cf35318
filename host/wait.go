package host

import (
	"context"
	"errors"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// ending is the end of an attempt that somebody waits for.
type ending struct {
	done    chan struct{}
	end     *End // nil if the attempt could not be started
	waiters int
}

// await registers a waiter for the end of an attempt.
func (h *Host) await(ref executor.Ref) (*ending, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.ends[ref]
	if e == nil {
		e = &ending{done: make(chan struct{})}
		h.ends[ref] = e
	}
	e.waiters++
	return e, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if e.waiters--; e.waiters == 0 && h.ends[ref] == e {
			delete(h.ends, ref)
		}
	}
}

// announce tells the waiters. It follows the commit of what it tells.
func (h *Host) announce(ref executor.Ref, end *End) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.ends[ref]; e != nil {
		e.end = end
		close(e.done)
		delete(h.ends, ref)
	}
}

// Wait waits for the end of a container's present attempt and gives it. A
// container that could not be started is [executor.FailedPrecondition]. reference
// is an id, a name or the beginning of an id.
func (h *Host) Wait(ctx context.Context, reference string) (*End, error) {
	return h.WaitAttempt(ctx, reference, 0)
}

// WaitAttempt is Wait for an attempt, which may have been over for long; 0 is the
// present one. One that there never was is [executor.NotFound].
func (h *Host) WaitAttempt(ctx context.Context, reference string, attempt int) (*End, error) {
	ref, err := h.attempt(reference, attempt)
	if err != nil {
		return nil, err
	}
	e, leave := h.await(ref)
	defer leave()
	// Looked at after registering, so that no end falls between.
	if end, err := h.endOf(ref); end != nil || err != nil {
		return end, err
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.ctx.Done():
		return nil, errClosing()
	}
	if e.end != nil {
		return e.end, nil
	}
	return h.endOf(ref)
}

// attempt gives the ref of an attempt of a container, 0 for the present one.
func (h *Host) attempt(reference string, attempt int) (executor.Ref, error) {
	record, err := h.record(reference)
	if err != nil {
		return executor.Ref{}, err
	}
	if attempt == 0 {
		attempt = record.Attempt
	}
	return executor.Ref{ID: record.ID, Attempt: attempt}, nil
}

// endOf gives the end of an attempt, or nil if it is not over.
func (h *Host) endOf(ref executor.Ref) (end *End, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		c, err := tx.Container(ref.ID)
		switch {
		case err != nil:
			return err
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

// Inspect gives a container by id, name or the beginning of an id.
func (h *Host) Inspect(reference string) (Container, error) {
	c, err := h.inspect(reference)
	if err != nil {
		return c, err
	}
	// Of one that failed to start there may be no files.
	if stdout, stderr, err := h.output.Files(executor.Ref{ID: c.ID, Attempt: c.Attempt}, c.merged).Usage(); err == nil {
		c.Output = map[string]OutputUsage{Stdout.String(): stdout}
		if !c.merged {
			c.Output[Stderr.String()] = stderr
		}
	}
	return c, nil
}

// inspect is Inspect without a look at the files.
func (h *Host) inspect(reference string) (c Container, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		record, err := tx.Find(reference)
		if err == nil {
			c = view(tx, record)
		}
		return err
	})
	return c, err
}

// List gives all containers, oldest first.
func (h *Host) List() (all []Container, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		records, err := tx.Containers()
		for _, record := range records {
			all = append(all, view(tx, record))
		}
		return err
	})
	slices.SortStableFunc(all, func(a, b Container) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, err
}
