package host

import (
	"context"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// ending is the end of a container that somebody waits for.
type ending struct {
	done    chan struct{}
	end     *End // nil if the attempt could not be started
	waiters int
}

// await registers a waiter for the end of a container's present attempt.
func (h *Host) await(id string) (*ending, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.ends[id]
	if e == nil {
		e = &ending{done: make(chan struct{})}
		h.ends[id] = e
	}
	e.waiters++
	return e, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if e.waiters--; e.waiters == 0 && h.ends[id] == e {
			delete(h.ends, id)
		}
	}
}

// announce tells the waiters. It follows the commit of what it tells.
func (h *Host) announce(id string, end *End) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.ends[id]; e != nil {
		e.end = end
		close(e.done)
		delete(h.ends, id)
	}
}

// Wait waits for the end of a container and gives it. A container that could not
// be started is [executor.FailedPrecondition]. reference is an id, a name or the
// beginning of an id.
func (h *Host) Wait(ctx context.Context, reference string) (*End, error) {
	c, err := h.Inspect(reference)
	if err != nil {
		return nil, err
	}
	e, leave := h.await(c.ID)
	defer leave()
	// Looked at after registering, so that no end falls between.
	c, err = h.Inspect(c.ID)
	if err != nil {
		return nil, err
	}
	switch c.State {
	case StateExited:
		return c.Exit, nil
	case StateFailed:
		return nil, failed(c)
	}
	select {
	case <-e.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.ctx.Done():
		return nil, executor.Errorf(executor.Unavailable, "the host is closing")
	}
	if e.end != nil {
		return e.end, nil
	}
	if c, err = h.Inspect(c.ID); err != nil {
		return nil, err
	}
	return nil, failed(c)
}

func failed(c Container) error {
	return executor.Errorf(executor.FailedPrecondition, "container %s could not be started: %s", c.ID, c.Error)
}

// Inspect gives a container by id, name or the beginning of an id.
func (h *Host) Inspect(reference string) (c Container, err error) {
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
