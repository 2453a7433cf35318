package containers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// reconcileParallel bounds the calls that a reconcile has under way at once.
const reconcileParallel = 16

const (
	// reconcileTimeout is how long one container may keep a backend from getting
	// ready. Seen: milliseconds.
	reconcileTimeout = 3 * time.Second
	// reconcileAgainTimeout bounds each later try for that container; tries are at
	// most reconcileMaxWait apart. It is long enough for a call to be found to hang.
	reconcileAgainTimeout = 2 * transport.End
	reconcileMaxWait      = 30 * time.Second
)

// Reconcile brings the records of a backend and what the backend has into agreement. It
// runs in every new session, before anybody else uses the session.
func (m *Manager) Reconcile(ctx context.Context, session *backends.Session) error {
	name := session.Backend
	listed, err := backends.On(ctx, session, transport.MethodList, transport.None{})
	if err != nil {
		return fmt.Errorf("listing what runs: %w", err)
	}
	has := make(map[string]executor.Status, len(listed))
	var listedExecs []executor.Status
	for _, status := range listed {
		if status.Ref.Exec != "" {
			listedExecs = append(listedExecs, status)
		} else {
			has[status.Ref.ID] = status
		}
	}
	records, err := m.records()
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
				m.logger.Error("reconcile failed and is tried again", "backend", name, "container", id, "error", err)
				m.background(func() { m.reconcileAgain(session, id, fn) })
			}
		})
	}
	for _, c := range records {
		status, there := has[c.ID]
		delete(has, c.ID)
		each(c.ID, func(ctx context.Context) error {
			now, err := m.record(c.ID)
			if errors.Is(err, executor.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return m.reconcileOne(ctx, session, now, status, there)
		})
	}
	for _, orphan := range has {
		each(orphan.Ref.ID, func(ctx context.Context) error { return m.reconcileOrphan(ctx, session, orphan) })
	}
	wg.Wait()
	execs, known, err := m.unfinishedExecs(name)
	if err != nil {
		return err
	}
	for _, e := range execs {
		each(e.Ref.ID, func(ctx context.Context) error { return m.reconcileExec(ctx, session, e.Ref) })
	}
	for _, status := range listedExecs {
		if !known[status.Ref] {
			each(status.Ref.ID, func(ctx context.Context) error { return m.reconcileUnknownExec(ctx, session, status) })
		}
	}
	wg.Wait()
	if session.Offers(executor.CapImages) {
		m.background(func() {
			if err := m.sweepRoots(m.ctx, session); err != nil {
				_ = m.insist(session, "", time.Second, func(ctx context.Context) error { return m.sweepRoots(ctx, session) })
			}
		})
	}
	if session.Offers(executor.CapStrays) {
		m.background(func() { m.warnStrays(session) })
	}
	return ctx.Err()
}

// reconcileAgain repeats what failed for one container, for as long as the session
// lasts. Other containers do not wait for it.
func (m *Manager) reconcileAgain(session *backends.Session, id string, fn func(context.Context) error) {
	_ = m.insist(session, id, time.Second, fn)
}

// insist calls fn for a container after a while, and again until it succeeds, for as long
// as the session lasts. Otherwise the error is the last one.
func (m *Manager) insist(session *backends.Session, id string, wait time.Duration, fn func(context.Context) error) error {
	var err error
	for ; ; wait = min(max(2*wait, time.Second), reconcileMaxWait) {
		select {
		case <-time.After(wait):
		case <-session.Done():
			return err
		case <-m.ctx.Done():
			return errClosing()
		}
		ctx, cancel := context.WithTimeout(m.ctx, reconcileAgainTimeout)
		err = fn(ctx)
		cancel()
		if err == nil || session.Ended() || m.ctx.Err() != nil {
			return err
		}
		m.logger.Error("reconcile failed and is tried again", "backend", session.Backend, "container", id, "error", err)
	}
}

// reconcileOne reconciles a container that has a record. status is what the backend
// reports of it, if the backend has it.
func (m *Manager) reconcileOne(ctx context.Context, session *backends.Session, c *store.Container, status executor.Status, there bool) error {
	m.resumeCheckpoint(session, c)
	switch {
	case c.State == store.Creating && (decided(c) || c.Desired == store.WantStopped):
		err := m.cutShort(ctx, c)
		if err == nil {
			err = m.settle(ctx, session, c.ID)
		}
		if err != nil {
			return err
		}
		return m.reconcileWish(session, c.ID)
	case c.Desired == store.WantRemoved:
		if there {
			if err := executor.Destroy(ctx, session, status.Ref); err != nil {
				return err
			}
		}
		return m.removeState(ctx, c.ID)
	case there && status.Ref.Attempt > c.Attempt:
		return m.catchUp(ctx, session, c, status)
	case ended(c):
		m.followUp(c)
		return nil
	case c.State == store.Creating && (!there || status.Ref.Attempt != c.Attempt):
		return m.reconcileMissing(ctx, session, c)
	}
	if err := m.outputs.Track(m.files(c, c.Ref())); err != nil {
		m.logger.Warn("output is not tracked", "container", c.ID, "error", err)
	}
	// From here on the executor watches it, and reports its end again if it has ended.
	// The call is made even if it was not listed: one missing answer is not enough to
	// call a container lost.
	status, err := m.restore(ctx, session, c)
	if errors.Is(err, executor.NotFound) {
		// If it was listed, it was half-made: its create was interrupted.
		return m.reconcileMissing(ctx, session, c)
	}
	if err == nil && status.State.Ended() {
		return m.recordEnd(ctx, session.Backend, status)
	}
	if err == nil {
		err = m.recordRunning(ctx, status)
	}
	if err != nil {
		return err
	}
	if c.InputClosed {
		m.background(func() { m.closeAgain(session, c.Ref()) })
	}
	return m.reconcileWish(session, c.ID)
}

// restore asks a backend for the present attempt of a container, and has it watch that.
func (m *Manager) restore(ctx context.Context, session *backends.Session, c *store.Container) (executor.Status, error) {
	return backends.On(ctx, session, transport.MethodRestore, transport.RestoreRequest{Ref: c.Ref(), Stdio: m.files(c, c.Ref()).Stdio()})
}

// reconcileWish does with a container that runs what was wanted while its backend did not
// answer: it sets its limits, and stops one that was stopped or restarted.
func (m *Manager) reconcileWish(session *backends.Session, id string) error {
	c, err := m.record(id)
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	if err != nil || ended(c) || c.State == store.Exited {
		return err
	}
	if c.Updating {
		m.background(func() {
			_ = m.insist(session, id, 0, func(ctx context.Context) error { return m.finishUpdate(ctx, id) })
		})
	}
	if c.Held {
		m.background(func() {
			_ = m.insist(session, id, 0, func(ctx context.Context) error { return m.thawLeft(ctx, id) })
		})
	}
	if c.Desired != store.WantStopped && !c.Again {
		return nil
	}
	m.background(func() {
		_ = m.insist(session, id, 0, func(context.Context) error { return m.stop(m.ctx, c, api.StopOptions{}) })
	})
	return nil
}

// reconcileMissing reconciles a container that has not ended and that the backend does
// not know.
func (m *Manager) reconcileMissing(ctx context.Context, session *backends.Session, c *store.Container) error {
	switch {
	case c.State == store.Creating:
		// The intent is on disk, the answer is not. Create is idempotent, and hands over
		// from an earlier attempt if there is one.
		m.background(func() { m.startAgain(session, c) })
		return nil
	case m.store.Info().Rebooted:
		return m.recordReboot(ctx, c)
	default:
		return m.recordLost(ctx, c, fmt.Sprintf("backend %s does not know the container any more", c.Backend))
	}
}

// startAgain repeats a start whose outcome is unknown, until it is known or the session
// ends. The reconcile of the next session goes on from there.
func (m *Manager) startAgain(session *backends.Session, c *store.Container) {
	var spec []byte
	err := m.store.View(func(tx *store.Tx) (err error) {
		spec, err = tx.Spec(c.ID)
		return err
	})
	if err == nil {
		err = m.start(m.ctx, session, c, spec, true)
	}
	for wait := time.Second; errors.Is(err, executor.OutcomeUnknown); wait = min(2*wait, reconcileMaxWait) {
		select {
		case <-time.After(wait):
		case <-session.Done():
			return
		case <-m.ctx.Done():
			return
		}
		err = m.start(m.ctx, session, c, spec, true)
	}
	if err != nil {
		m.logger.Error("interrupted start failed", "container", c.ID, "error", err)
	}
}

// recordLost records the end of an attempt whose exit nobody can know any more.
func (m *Manager) recordLost(ctx context.Context, c *store.Container, reason string) error {
	var end *api.End
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Container(c.ID)
		if err != nil || now.Attempt != c.Attempt || ended(now) {
			return err
		}
		if !m.outputs.Has(c.ID) { // a removal begins with the directory
			settle(now)
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
		m.outputs.Untrack(c.Ref())
		m.logger.Warn("container was lost", "container", c.ID, "reason", reason)
		m.afterEnd(c, end)
	}
	return err
}
