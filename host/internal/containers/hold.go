package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// thawTimeout bounds resuming a container that was held. Seen: milliseconds. The next
// session of its backend tries it again.
const thawTimeout = 30 * time.Second

// Pause freezes all processes of a container; see the method of host.Host. One that is held
// stays paused when it is held no longer.
func (m *Manager) Pause(ctx context.Context, reference string) error {
	c, err := m.record(reference)
	if err == nil {
		err = m.pause(ctx, c.ID)
	}
	if err == nil {
		err = m.setHeld(ctx, c.ID, false)
	}
	return err
}

func (m *Manager) pause(ctx context.Context, id string) error {
	_, err := Act(ctx, m, id, transport.MethodPause, Action[executor.Ref]{
		Request: Itself, Becomes: store.Paused, Event: api.EventPaused,
	})
	return err
}

// hold pauses a container that runs, until release is called. That is on disk before, so that
// the next host lets it go if this one ends. One whose backend has no pause runs on.
func (m *Manager) hold(ctx context.Context, id string) (release func(), err error) {
	unlock, err := m.holds.Lock(ctx, id)
	if err != nil {
		return nil, err
	}
	held, err := m.holdOne(ctx, id)
	if err != nil {
		unlock()
		return nil, err
	}
	return func() {
		defer unlock()
		if !held {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thawTimeout)
		defer cancel()
		if err := m.thaw(ctx, id); err != nil {
			m.logger.Error("a container is still paused after a commit; it is resumed when its backend answers", "container", id, "error", err)
		}
	}, nil
}

// holdOne does what hold does, and reports whether the container is held.
func (m *Manager) holdOne(ctx context.Context, id string) (held bool, err error) {
	c, err := m.record(id)
	if err != nil || c.State != store.Running {
		return false, err
	}
	session, err := m.backends.Session(ctx, c.Backend)
	if err != nil || !session.Offers(executor.CapPause) {
		return false, err
	}
	if err = m.setHeld(ctx, id, true); err == nil {
		err = m.pause(ctx, id)
	}
	if err == nil {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), thawTimeout)
	defer cancel()
	if terr := m.thaw(ctx, id); terr != nil {
		m.logger.Error("whether a container is paused is not known; it is resumed when its backend answers", "container", id, "error", terr)
	}
	if errors.Is(err, executor.FailedPrecondition) { // it has ended
		err = nil
	}
	return false, err
}

// thaw resumes a container that is held, and records that it is held no longer.
func (m *Manager) thaw(ctx context.Context, id string) error {
	c, err := m.record(id)
	if errors.Is(err, executor.NotFound) || err == nil && !c.Held {
		return nil
	}
	if err == nil {
		err = m.Resume(ctx, id)
	}
	if err == nil || errors.Is(err, executor.FailedPrecondition) {
		err = m.setHeld(ctx, id, false)
	}
	return err
}

// thawLeft resumes a container that an earlier host has held.
func (m *Manager) thawLeft(ctx context.Context, id string) error {
	unlock, err := m.holds.Lock(ctx, id) // one that this host holds is let go by who holds it
	if err != nil {
		return err
	}
	defer unlock()
	return m.thaw(ctx, id)
}

// setHeld records whether a container is held.
func (m *Manager) setHeld(ctx context.Context, id string, held bool) error {
	if c, err := m.record(id); err != nil || c.Held == held {
		if errors.Is(err, executor.NotFound) {
			err = nil
		}
		return err
	}
	return m.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		c.Held = held && c.State == store.Running
		return tx.PutContainer(c)
	})
}
