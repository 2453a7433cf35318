package containers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// unknownSpec stands for the spec of a container of which only the backend knew.
const unknownSpec = "null"

// reconcileOrphan reconciles a container that is marked as ours on a backend and has no
// record. A record is removed only after the backend's part, so the record was lost with
// the state: it was removed, or put back to an older one. The container is adopted. It
// runs on, and what has ended keeps its exit.
func (m *Manager) reconcileOrphan(ctx context.Context, session *backends.Session, status executor.Status) error {
	c, spec, err := m.readCopy(status.Ref.ID)
	switch {
	case err == nil && c.Backend == session.Backend:
		unsettle(c)
		c.Attempt = status.Ref.Attempt
	default:
		if err != nil && !noCopy(err) {
			m.logger.Error("a container's copy is of no use", "container", status.Ref.String(), "error", err)
		}
		c, spec = m.barest(session.Backend, status), json.RawMessage(unknownSpec)
	}
	if !status.State.Ended() && c.Desired == store.WantRemoved {
		c.Desired = store.WantRunning // it runs, whatever was wanted
	}
	if m.opts.Ephemeral {
		c.Desired = store.WantRemoved
	}
	if err := m.store.Update(ctx, func(tx *store.Tx) error { return createAdopted(tx, c, spec) }); err != nil {
		return err
	}
	if _, err := m.outputs.Create(c.Ref(), m.layout(c)); err != nil {
		m.logger.Warn("there are no files for the output of an adopted container", "container", c.ID, "error", err)
	}
	m.keepCopy(c.ID)
	m.logger.Warn("a container without a record is adopted", "backend", session.Backend, "container", status.Ref.String(), "name", c.Name, "state", string(status.State))
	return m.reconcileOne(ctx, session, c, status, true)
}

// barest returns a record of what a backend knows of a container.
func (m *Manager) barest(backend string, status executor.Status) *store.Container {
	c := &store.Container{
		ID: status.Ref.ID, Backend: backend, Runtime: executor.Runtime{Name: status.Runtime},
		CreatedAt: status.StartedAt, StartedAt: status.StartedAt,
		Attempt: status.Ref.Attempt, Desired: store.WantRunning, State: store.Running, PID: status.PID,
		Error: "its record was lost; this is what the backend knew",
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = time.Now()
	}
	return c
}

// catchUp takes over a later attempt than the record knows: the state was put back to
// an older one.
func (m *Manager) catchUp(ctx context.Context, session *backends.Session, c *store.Container, status executor.Status) error {
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Container(c.ID)
		if err != nil || now.Attempt >= status.Ref.Attempt {
			return err
		}
		now.Attempt, now.State, now.PID = status.Ref.Attempt, store.Running, status.PID
		now.StartedAt, now.FinishedAt, now.RestartAt = status.StartedAt, time.Time{}, time.Time{}
		now.Error, now.ErrorCode, now.Lost, now.Health = "", "", nil, nil
		if !status.State.Ended() {
			now.Desired = store.WantRunning
		}
		if err := tx.PutContainer(now); err != nil {
			return err
		}
		c = now
		return appendEvent(tx, api.EventStarted, now, map[string]string{"adopted": "true"})
	})
	if err != nil {
		return err
	}
	m.logger.Warn("a container is at a later attempt than its record", "backend", session.Backend, "container", status.Ref.String(), "state", string(status.State))
	return m.reconcileOne(ctx, session, c, status, status.Ref.Attempt == c.Attempt)
}
