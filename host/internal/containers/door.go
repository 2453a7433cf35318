package containers

import (
	"context"
	"errors"

	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Action describes an action on a container that runs.
type Action[Req any] struct {
	// Request returns the request for the present attempt.
	Request func(executor.Ref) Req
	// Becomes is the state of the container afterwards; empty means no change.
	Becomes store.State
	// Event is the type of the event that is appended; empty means none.
	Event string
}

// Itself is the Request of methods whose request is the ref alone.
func Itself(ref executor.Ref) executor.Ref { return ref }

// Act calls a method of its backend for a container that runs, and records the new state
// and the event. It waits for a container that is being created, since the backend may
// not know it yet. The error for a container that has ended is
// [executor.FailedPrecondition].
func Act[Req, Reply any](ctx context.Context, m *Manager, reference string, method *transport.Method[Req, Reply], action Action[Req]) (reply Reply, err error) {
	c, err := m.record(reference)
	if err != nil {
		return reply, err
	}
	for {
		changed := m.store.Changed()
		now, err := m.record(c.ID)
		if err != nil {
			return reply, err
		}
		if ended(now) || now.State == store.Exited {
			return reply, executor.Errorf(executor.FailedPrecondition, "container %s is not running", now.ID)
		}
		if now.State == store.Creating && action.Becomes != "" {
			// Otherwise the answer to its start would overwrite the new state.
			if err := m.awaitChange(ctx, changed); err != nil {
				return reply, err
			}
			continue
		}
		reply, err = backends.Call(ctx, m.backends, now.Backend, method, action.Request(now.Ref()))
		if err == nil {
			return reply, m.acted(ctx, now.Ref(), action.Becomes, action.Event)
		}
		if now.State != store.Creating || !errors.Is(err, executor.NotFound) {
			return reply, err
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return reply, err
		}
	}
}

// acted records the result of an action on an attempt, unless the attempt has ended
// since.
func (m *Manager) acted(ctx context.Context, ref executor.Ref, becomes store.State, event string) error {
	if becomes == "" && event == "" {
		return nil
	}
	return m.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		c, err := tx.Container(ref.ID)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil || c.Attempt != ref.Attempt || ended(c) || c.State == store.Exited || c.State == becomes {
			return err
		}
		if becomes != "" {
			c.State = becomes
			if err := tx.PutContainer(c); err != nil {
				return err
			}
		}
		if event == "" {
			return nil
		}
		return appendEvent(tx, event, c, nil)
	})
}
