package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// reconcileParallel bounds the calls that a reconcile has under way at once.
const reconcileParallel = 16

const (
	// reconcileTimeout is how long one container may keep a backend from getting
	// ready. Seen: milliseconds.
	reconcileTimeout = 3 * time.Second
	// reconcileAgainTimeout bounds what is done about it afterwards, every
	// reconcileMaxWait at least.
	reconcileAgainTimeout = time.Minute
	reconcileMaxWait      = 30 * time.Second
)

// reconcile makes the records of a backend and what the backend has agree. It
// runs whenever an executor was started or taken up, before anybody else uses
// the session.
func (h *Host) reconcile(ctx context.Context, name string, session *supervisor.Session) error {
	listed, err := session.List(ctx)
	if err != nil {
		return fmt.Errorf("listing what runs: %w", err)
	}
	if err := failpoint.Hit("host.reconcile.listed"); err != nil {
		return err
	}
	has := make(map[string]executor.Status, len(listed))
	for _, status := range listed {
		has[status.Ref.ID] = status
	}
	records, err := h.records()
	if err != nil {
		return err
	}
	records = slices.DeleteFunc(records, func(c *store.Container) bool { return c.Backend != name })

	var wg sync.WaitGroup
	slots := make(chan struct{}, reconcileParallel)
	each := func(id string, fn func(context.Context) error) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			once, cancel := context.WithTimeout(ctx, reconcileTimeout)
			defer cancel()
			if err := fn(once); err != nil {
				h.logger.Error("reconcile failed and is tried again", "backend", name, "container", id, "error", err)
				h.background(func() { h.reconcileAgain(session, name, id, fn) })
			}
		})
	}
	for _, c := range records {
		status, there := has[c.ID]
		delete(has, c.ID)
		each(c.ID, func(ctx context.Context) error {
			now, err := h.record(c.ID)
			if errors.Is(err, executor.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return h.reconcileOne(ctx, session, now, status, there)
		})
	}
	for _, orphan := range has {
		each(orphan.Ref.ID, func(ctx context.Context) error { return h.reconcileOrphan(ctx, name, session, orphan) })
	}
	wg.Wait()
	return ctx.Err()
}

// reconcileAgain repeats what failed for one container, for as long as the session
// lasts. The others do not wait for it.
func (h *Host) reconcileAgain(session *supervisor.Session, backend, id string, fn func(context.Context) error) {
	for wait := time.Second; ; wait = min(2*wait, reconcileMaxWait) {
		select {
		case <-time.After(wait):
		case <-session.Done():
			return
		case <-h.ctx.Done():
			return
		}
		ctx, cancel := context.WithTimeout(h.ctx, reconcileAgainTimeout)
		err := fn(ctx)
		h.unlessHung(ctx, session, backend)
		cancel()
		if err == nil || session.Ended() || h.ctx.Err() != nil {
			return
		}
		h.logger.Error("reconcile failed and is tried again", "backend", backend, "container", id, "error", err)
	}
}

// reconcileOne deals with a container that we have a record of. status is what
// the backend has of it, if it is there.
func (h *Host) reconcileOne(ctx context.Context, session *supervisor.Session, c *store.Container, status executor.Status, there bool) error {
	switch {
	case c.Desired == store.WantRemoved:
		if there {
			if err := executor.Destroy(ctx, session, status.Ref); err != nil {
				return err
			}
		}
		return h.forget(ctx, c.ID)
	case ended(c):
		h.followUp(c)
		return nil
	case c.State == store.Creating && (!there || status.Ref.Attempt != c.Attempt):
		return h.reconcileMissing(ctx, session, c)
	}
	if err := h.track(c); err != nil {
		h.logger.Warn("output is not tracked", "container", c.ID, "error", err)
	}
	// From here on the executor watches it, and reports its end again if that has
	// come. One that was not listed is asked for all the same: that it is lost must
	// not rest on a single answer.
	if err := failpoint.Hit("host.reconcile.found"); err != nil {
		return err
	}
	status, err := session.Restore(ctx, c.Ref(), h.output.Files(c.Ref(), c.Stdio.Merged).Stdio(h.outputMax(c)))
	if errors.Is(err, executor.NotFound) {
		// If it was listed, it was half-made: its create was cut off.
		return h.reconcileMissing(ctx, session, c)
	}
	if err != nil {
		return err
	}
	if err := failpoint.Hit("host.reconcile.restored"); err != nil {
		return err
	}
	return h.recordRunning(ctx, status)
}

// reconcileMissing deals with a container that has not ended and that the backend
// does not know.
func (h *Host) reconcileMissing(ctx context.Context, session *supervisor.Session, c *store.Container) error {
	switch {
	case c.State == store.Creating:
		if c.Desired != store.WantRunning {
			_ = h.failStart(c, errors.New("stopped before it was started"))
			return nil
		}
		_ = failpoint.Hit("host.reconcile.missing")
		// The intent was on disk, the answer is not. Create is idempotent, and
		// hands over an earlier attempt if there is one.
		h.background(func() { h.startAgain(session, c) })
		return nil
	case h.store.Info().Rebooted:
		return h.rebooted(ctx, c)
	default:
		return h.lose(ctx, c, fmt.Sprintf("backend %s does not know the container any more", c.Backend))
	}
}

// startAgain repeats a start whose outcome is not known, until it is or the session
// ends: the reconcile of the next one takes over then.
func (h *Host) startAgain(session *supervisor.Session, c *store.Container) {
	var spec []byte
	err := h.store.View(func(tx *store.Tx) (err error) {
		spec, err = tx.Spec(c.ID)
		return err
	})
	if err == nil {
		err = h.start(h.ctx, session, c, spec, true)
	}
	for wait := time.Second; errors.Is(err, executor.OutcomeUnknown); wait = min(2*wait, reconcileMaxWait) {
		select {
		case <-time.After(wait):
		case <-session.Done():
			return
		case <-h.ctx.Done():
			return
		}
		err = h.start(h.ctx, session, c, spec, true)
	}
	if err != nil {
		h.logger.Error("interrupted start failed", "container", c.ID, "error", err)
	}
}

// lose ends an attempt about which nobody can know any more.
func (h *Host) lose(ctx context.Context, c *store.Container, reason string) error {
	var end *End
	err := h.store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Container(c.ID)
		if err != nil || now.Attempt != c.Attempt || ended(now) {
			return err
		}
		// An exit that is on disk already stays as it is.
		if _, _, err := tx.PutExit(c.Ref(), *executor.LostExit(reason)); err != nil {
			return err
		}
		if _, err := tx.PutOutput(c.Ref(), executor.Truncated); err != nil {
			return err
		}
		exit, err := tx.Exit(c.Ref())
		if err != nil {
			return err
		}
		if now.FinishedAt.IsZero() {
			now.FinishedAt = time.Now()
		}
		end, c = viewEnd(exit), now
		return release(tx, now, end)
	})
	if err == nil && end != nil {
		h.tracker.Remove(c.Ref())
		h.logger.Warn("container was lost", "container", c.ID, "reason", reason)
		h.afterEnd(c, end)
	}
	return err
}

// reconcileOrphan deals with what is marked as ours on a backend, without a
// record. Records are removed only after the backend's part, so this is what a
// damaged store leaves: it is adopted then. Otherwise it is what an interrupted
// restore of an older state directory leaves, and is removed.
func (h *Host) reconcileOrphan(ctx context.Context, backend string, session *supervisor.Session, status executor.Status) error {
	if h.store.Info().Damage != nil {
		return h.adopt(ctx, backend, session, status)
	}
	h.logger.Warn("removing a container without a record", "backend", backend, "container", status.Ref.String(), "state", string(status.State))
	return executor.Destroy(ctx, session, status.Ref)
}

// unknownSpec stands for the spec of an adopted container.
const unknownSpec = "null"

// adopt makes a record of what a backend has, with what can be known.
func (h *Host) adopt(ctx context.Context, backend string, session *supervisor.Session, status executor.Status) error {
	c := &store.Container{
		ID: status.Ref.ID, Backend: backend, Runtime: executor.Runtime{Name: status.Runtime},
		CreatedAt: status.StartedAt, StartedAt: status.StartedAt,
		Attempt: status.Ref.Attempt, Desired: store.WantRunning, State: store.Running, PID: status.PID,
		Error: "its record was lost with a damaged state; this is what the backend knew",
	}
	if err := h.store.Update(ctx, func(tx *store.Tx) error {
		if err := tx.CreateContainer(c, json.RawMessage(unknownSpec)); err != nil {
			return err
		}
		return appendEvent(tx, EventCreated, c, map[string]string{"adopted": "true"})
	}); err != nil {
		return err
	}
	return h.reconcileOne(ctx, session, c, status, true)
}
