package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Remove removes a container that has ended, with its output. If force is set, a
// container that has not ended is killed first, and the start of one that is being created
// is cut short; otherwise the error is [executor.FailedPrecondition]. The error is an
// [api.PendingError] if the backend does not answer: it is removed later.
func (m *Manager) Remove(ctx context.Context, reference string, force bool) error {
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	if !ended(c) {
		if !force {
			return executor.Errorf(executor.FailedPrecondition, "container %s is %s; stop it first, or force its removal", reference, c.State)
		}
		// The intent is on disk before the backend is asked, which may not answer.
		if c, err = m.setDesired(ctx, c.ID, store.WantRemoved); err != nil {
			return err
		}
		if err = m.end(ctx, c); err != nil {
			return m.pending(ctx, c, "removal", err)
		}
	}
	if err = m.remove(ctx, c.ID); err != nil {
		return m.pending(ctx, c, "removal", err)
	}
	return nil
}

// end kills a container that has not ended, or cuts its start short.
func (m *Manager) end(ctx context.Context, c *store.Container) error {
	if c.State == store.Creating {
		if err := m.endStart(ctx, c); err != nil {
			return err
		}
		if _, err := m.record(c.ID); errors.Is(err, executor.NotFound) {
			return nil
		}
	}
	return m.killAndWait(ctx, c)
}

// remove removes what is left of a container that has ended. It records the intent
// first, so that an interrupted removal is completed later.
func (m *Manager) remove(ctx context.Context, id string) error {
	c, err := m.setDesired(ctx, id, store.WantRemoved)
	if errors.Is(err, executor.NotFound) {
		return nil // somebody else was faster
	}
	if err != nil {
		return err
	}
	// Wait for a create that is under way. If the delete overtook it, the create would
	// find nothing and start the container once more.
	unlock, err := m.starts.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	if c.Attempt == 0 { // the backend has never heard of it
		return m.removeState(context.WithoutCancel(ctx), id)
	}
	session, err := m.backends.Session(ctx, c.Backend)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if _, err := backends.On(ctx, session, transport.MethodDelete, c.Ref()); err != nil {
		return err
	}
	return m.removeState(ctx, id)
}

// removeState removes the output and the record of a container of which nothing is left
// on its backend.
func (m *Manager) removeState(ctx context.Context, id string) error {
	if c, err := m.record(id); err == nil {
		m.outputs.Untrack(c.Ref())
	}
	if err := m.outputs.Remove(id); err != nil {
		return err
	}
	return m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.RemoveContainer(id); err != nil {
			return err
		}
		return appendEvent(tx, api.EventRemoved, c, nil)
	})
}

// pin keeps a container from being removed automatically until unpin is called. The
// caller still reads its output or waits for its exit.
func (m *Manager) pin(id string) (unpin func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pins[id]++
	return func() {
		m.mu.Lock()
		m.pins[id]--
		free := m.pins[id] == 0
		if free {
			delete(m.pins, id)
		}
		m.mu.Unlock()
		if free {
			if c, err := m.record(id); err == nil && c.AutoRemove && ended(c) && c.State != store.Created {
				m.removeWhenFree(id, 0)
			}
		}
	}
}

// lingerTime returns how long from now a container with automatic removal is kept for
// clients that followed it at an earlier host.
func (m *Manager) lingerTime(c *store.Container) time.Duration {
	if c.CreatedAt.After(m.opened) {
		return 0
	}
	return time.Until(m.opened.Add(m.opts.Linger))
}

// removeWhenFree removes a container in the background after a while. If it is pinned
// then, the last unpin removes it.
func (m *Manager) removeWhenFree(id string, after time.Duration) {
	m.background(func() {
		select {
		case <-time.After(after):
		case <-m.ctx.Done():
			return
		}
		m.mu.Lock()
		pinned := m.pins[id] > 0
		m.mu.Unlock()
		if pinned {
			return
		}
		if err := m.remove(m.ctx, id); err != nil && m.ctx.Err() == nil {
			m.logger.Warn("automatic removal failed; it is tried again when the backend reconnects", "container", id, "error", err)
		}
	})
}
