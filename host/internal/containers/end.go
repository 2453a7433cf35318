package containers

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// reports is the executor.Host of one backend: a backend can only report on its
// own containers.
type reports struct {
	manager *Manager
	backend string
}

var _ executor.Host = reports{}

// Reports returns the receiver of the reports of a backend.
func (m *Manager) Reports(backend string) executor.Host { return reports{m, backend} }

// owned returns the record that a report is about, if it is the backend's own.
func (r reports) owned(tx *store.Tx, ref executor.Ref) (*store.Container, error) {
	c, err := tx.Container(ref.ID)
	if err != nil {
		return nil, err
	}
	if c.Backend != r.backend {
		return nil, executor.Errorf(executor.NotFound, "container %s is not on backend %s", ref.ID, r.backend)
	}
	if ref.Attempt > c.Attempt {
		return nil, executor.Errorf(executor.Invalid, "container %s has no attempt %d", ref.ID, ref.Attempt)
	}
	return c, nil
}

// Exited implements executor.Host. The exit is on disk when it returns nil.
func (r reports) Exited(ctx context.Context, status executor.Status) error {
	if status.Ref.Exec != "" {
		return r.execExited(ctx, status)
	}
	return r.manager.store.Update(ctx, func(tx *store.Tx) error {
		c, err := r.owned(tx, status.Ref)
		if err != nil {
			return err
		}
		if _, _, err := tx.PutExit(status.Ref, *status.Exit); err != nil {
			return err
		}
		if c.Attempt != status.Ref.Attempt || c.State == store.Exited || ended(c) || undone(c) {
			return nil // an earlier attempt, or reported before
		}
		if c.State == store.Creating {
			// It ended before Create's answer was recorded.
			c.StartedAt = status.StartedAt
			if err := appendEvent(tx, api.EventStarted, c, nil); err != nil {
				return err
			}
		}
		c.State, c.PID, c.FinishedAt = store.Exited, 0, status.Exit.At
		if c.FinishedAt.IsZero() {
			c.FinishedAt = time.Now()
		}
		return tx.PutContainer(c)
	})
}

// Released implements executor.Host. When it returns nil users see the attempt as ended.
func (r reports) Released(ctx context.Context, ref executor.Ref, out executor.Output) error {
	if ref.Exec != "" {
		return r.execReleased(ctx, ref, out)
	}
	var end *api.End
	var record *store.Container
	var lost map[api.Stream]executor.Loss
	if c, err := r.manager.record(ref.ID); err == nil {
		lost = r.manager.losses(c, ref)
	}
	err := r.manager.store.Update(ctx, func(tx *store.Tx) error {
		c, err := r.owned(tx, ref)
		if err != nil {
			return err
		}
		if _, err := tx.PutOutput(ref, out); err != nil {
			return err
		}
		exit, err := tx.Exit(ref)
		if err != nil {
			return err
		}
		if c.Attempt != ref.Attempt || c.State == store.Failed || undone(c) {
			return nil
		}
		end, record = viewEnd(exit), c
		if ended(c) { // reported again: what follows may not have been done
			return nil
		}
		for s, loss := range lost {
			if err := putLoss(tx, c, s, loss); err != nil {
				return err
			}
		}
		return release(tx, c, end)
	})
	if errors.Is(err, executor.NotFound) {
		return err
	}
	if err == nil && record != nil {
		r.manager.outputs.Untrack(ref)
		r.manager.afterEnd(record, end)
	}
	return err
}

// recordEnd records the end that a backend has of an attempt. The executor may have
// reported it to an earlier host, whose state was lost since, and then does not report it
// again.
func (m *Manager) recordEnd(ctx context.Context, backend string, status executor.Status) error {
	r := reports{m, backend}
	err := r.Exited(ctx, status)
	if err == nil && status.State == executor.Released {
		err = r.Released(ctx, status.Ref, status.Output)
	}
	if errors.Is(err, executor.NotFound) {
		return nil // removed meanwhile
	}
	return err
}

// release records that the present attempt of c has ended and its output is complete.
func release(tx *store.Tx, c *store.Container, end *api.End) error {
	c.State, c.PID = store.Released, 0
	setRestart(c, failure(&end.Exit))
	if err := tx.PutContainer(c); err != nil {
		return err
	}
	return appendEvent(tx, api.EventExited, c, endData(end))
}

// endData returns the data of the event of an end.
func endData(end *api.End) map[string]string {
	data := map[string]string{"source": string(end.Source), "output": string(end.Output)}
	if end.Code != nil {
		data["code"] = strconv.Itoa(*end.Code)
	}
	if end.Signal != 0 {
		data["signal"] = strconv.Itoa(int(end.Signal))
	}
	if end.OOM != nil && *end.OOM {
		data["oom"] = "true"
	}
	if end.Reason != "" {
		data["reason"] = end.Reason
	}
	return data
}

// afterEnd notifies those who wait for the end of an attempt, and does what follows it.
func (m *Manager) afterEnd(c *store.Container, end *api.End) {
	ref := executor.Ref{ID: c.ID, Attempt: end.Attempt}
	m.health.Forget(ref)
	m.settlePorts(c) // who is told of the end finds them free
	m.notify(ref, end)
	if sharesMemory(c) {
		m.background(func() { m.freeShm(c.ID) })
	}
	m.followUp(c)
}

// followUp removes a container that has ended, or starts it again, as its options say.
// If the host dies before that is done, the next host does it when it reconciles.
func (m *Manager) followUp(c *store.Container) {
	switch {
	case c.State == store.Created: // nothing has ended
	case !c.RestartAt.IsZero():
		m.scheduleRestart(c)
	case c.AutoRemove:
		m.removeWhenFree(c.ID, m.lingerTime(c))
	}
}
