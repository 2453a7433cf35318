package host

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// reports is the executor.Host of one backend: a backend can only report on its
// own containers.
type reports struct {
	host    *Host
	backend string
}

var _ executor.Host = reports{}

// owned gives the record that a report is about.
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
	if err := failpoint.Hit("host.exited.told"); err != nil {
		return err
	}
	if failpoint.Bug("exit-changed") && status.Exit.Code != nil {
		code := (*status.Exit.Code + 1) % 256
		status.Exit.Code = &code
	}
	err := r.host.store.Update(ctx, func(tx *store.Tx) error {
		c, err := r.owned(tx, status.Ref)
		if err != nil {
			return err
		}
		if _, _, err := tx.PutExit(status.Ref, *status.Exit); err != nil {
			return err
		}
		if c.Attempt != status.Ref.Attempt || c.State == store.Exited || ended(c) {
			return nil // an earlier attempt, or told twice
		}
		if c.State == store.Creating {
			// It ended before Create's answer was recorded.
			c.StartedAt = status.StartedAt
			if err := appendEvent(tx, EventStarted, c, nil); err != nil {
				return err
			}
		}
		c.State, c.PID, c.FinishedAt = store.Exited, 0, status.Exit.At
		if c.FinishedAt.IsZero() {
			c.FinishedAt = time.Now()
		}
		return tx.PutContainer(c)
	})
	_ = failpoint.Hit("host.exited.recorded")
	return err
}

// Released implements executor.Host. From here on users see the attempt as
// ended.
func (r reports) Released(ctx context.Context, ref executor.Ref, out executor.Output) error {
	if err := failpoint.Hit("host.released.told"); err != nil {
		return err
	}
	var end *End
	var record *store.Container
	var lost map[Stream]executor.Loss
	if c, err := r.host.record(ref.ID); err == nil {
		lost = r.host.losses(ref, c.Stdio.Merged)
	}
	err := r.host.store.Update(ctx, func(tx *store.Tx) error {
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
		if c.Attempt != ref.Attempt || c.State == store.Failed {
			return nil
		}
		end, record = viewEnd(exit), c
		if ended(c) { // it is told again, so nobody knows whether all was done that follows
			return nil
		}
		for s, loss := range lost {
			if err := putLoss(tx, c, s, loss); err != nil {
				return err
			}
		}
		return release(tx, c, end)
	})
	_ = failpoint.Hit("host.released.recorded")
	if errors.Is(err, executor.NotFound) {
		return err
	}
	if err == nil && record != nil {
		r.host.tracker.Remove(ref)
		r.host.afterEnd(record, end)
	}
	return err
}

// release records that the present attempt of c is over.
func release(tx *store.Tx, c *store.Container, end *End) error {
	c.State, c.PID = store.Released, 0
	planRestart(c, failure(&end.Exit))
	if err := tx.PutContainer(c); err != nil {
		return err
	}
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
	if failpoint.Bug("exit-twice") {
		if err := appendEvent(tx, EventExited, c, data); err != nil {
			return err
		}
	}
	return appendEvent(tx, EventExited, c, data)
}

// afterEnd does what follows the end of an attempt.
func (h *Host) afterEnd(c *store.Container, end *End) {
	h.announce(executor.Ref{ID: c.ID, Attempt: end.Attempt}, end)
	h.followUp(c)
}

// followUp removes a container that has ended, or starts it again, if that is
// what it was made for. A host that dies before it is done is followed by one
// that does it when it reconciles.
func (h *Host) followUp(c *store.Container) {
	switch {
	case c.AutoRemove:
		h.removeWhenFree(c.ID, h.lingers(c))
	case !c.RestartAt.IsZero():
		h.scheduleRestart(c)
	}
}
