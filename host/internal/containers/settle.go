package containers

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// settleWait is how long a caller waits for the end of a start that was cut short. An
// executor may need some of it to undo what it has made. Seen: less than a second.
const settleWait = 20 * time.Second

// errStopped is the cause of the end of a start that nobody wants any more.
var errStopped = errors.New("stopped before it was started")

// beginStart returns the context of a start, which ends when the Manager closes or the
// start is cut short.
func (m *Manager) beginStart(ctx context.Context, id string) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(m.ctx, func() { cancel(errClosing()) })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.starting[id] = cancel // there is one at a time: it has the lock of starts
	return ctx, func() {
		stop()
		cancel(nil)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.starting, id)
	}
}

// cutShort ends the start of a container that is under way, and sees to it that there is
// no other for the same attempt.
func (m *Manager) cutShort(ctx context.Context, c *store.Container) error {
	err := m.store.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		now, err := tx.Container(c.ID)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil || now.Attempt != c.Attempt || now.State != store.Creating {
			return err
		}
		now.Cut = true
		return tx.PutContainer(now)
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if cancel := m.starting[c.ID]; cancel != nil && err == nil {
		cancel(errStopped)
	}
	return err
}

// decided reports whether it is decided that an attempt which is being created shall not
// be started.
func decided(c *store.Container) bool {
	return c.GivenUp != "" || c.Cut || c.Desired == store.WantRemoved
}

// verdict returns why an attempt is not started.
func verdict(c *store.Container) error {
	switch {
	case c.GivenUp != "":
		return executor.Errorf(cmp.Or(c.ErrorCode, executor.Internal), "%s", c.GivenUp)
	case c.Desired == store.WantRunning:
		return executor.Errorf(executor.Canceled, "the host was shut down before it was started")
	}
	return executor.Errorf(executor.Canceled, "%w", errStopped)
}

// giveUp records that an attempt is not tried any more, removes what there is of it, and
// returns the reason. The caller has the lock of starts. What cannot be removed now is
// removed in the background, or when the backend is back.
func (m *Manager) giveUp(session *backends.Session, c *store.Container, reason error) error {
	ctx := context.WithoutCancel(m.ctx)
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Container(c.ID)
		if err != nil || now.Attempt != c.Attempt || now.State != store.Creating {
			return err
		}
		now.GivenUp, now.Error, now.ErrorCode = reason.Error(), reason.Error(), executor.CodeOf(reason)
		return tx.PutContainer(now)
	})
	if err == nil && session != nil {
		ctx, cancel := context.WithTimeout(ctx, m.settleWait)
		defer cancel()
		if err = m.settleLocked(ctx, session, c.ID); err != nil {
			m.pursue(c)
		}
	}
	if err != nil {
		m.logger.Warn("a start that failed is not undone yet", "container", c.ID, "backend", c.Backend, "error", err)
	}
	return reason
}

// awaitOutcome waits until a start that is under way has an outcome, but not longer than
// most; a negative most is no bound.
func (m *Manager) awaitOutcome(ctx context.Context, c *store.Container, most time.Duration) error {
	var over <-chan time.Time
	if most >= 0 {
		over = time.After(most)
	}
	for {
		changed := m.store.Changed()
		now, err := m.record(c.ID)
		if err != nil || now.State != store.Creating || !m.isStarting(c.ID) && !m.backends.Ready(c.Backend) {
			return nil
		}
		select {
		case <-changed:
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-m.ctx.Done():
			return errClosing()
		}
	}
}

// isStarting reports whether a start of a container is under way.
func (m *Manager) isStarting(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starting[id] != nil
}

// endStart ends the start of a container that is being created and not wanted. Then the
// container runs, has failed or is gone. A caller that goes away does not change that.
func (m *Manager) endStart(ctx context.Context, c *store.Container) error {
	if err := m.cutShort(ctx, c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.settleWait)
	defer cancel()
	session, err := m.backends.Session(ctx, c.Backend)
	if err == nil {
		err = m.settle(ctx, session, c.ID)
	}
	if ctx.Err() != nil {
		return executor.Errorf(executor.OutcomeUnknown, "its start does not end: %w", err)
	}
	return err
}

// settle ends an attempt whose start is not wanted any more. Nobody else starts or removes
// it meanwhile.
func (m *Manager) settle(ctx context.Context, session *backends.Session, id string) error {
	unlock, err := m.starts.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	return m.settleLocked(ctx, session, id)
}

func (m *Manager) settleLocked(ctx context.Context, session *backends.Session, id string) error {
	c, err := m.record(id)
	switch {
	case errors.Is(err, executor.NotFound):
		return nil
	case err != nil:
		return err
	case c.State != store.Creating || !decided(c):
		return nil
	}
	if c.Desired != store.WantRemoved && c.GivenUp == "" {
		// It may run, if only since a moment: then it is asked to end, as others are.
		status, err := m.restore(ctx, session, c)
		if !errors.Is(err, executor.NotFound) {
			if err != nil {
				return err
			}
			return m.recordRunning(ctx, status)
		}
	} else if err := executor.Destroy(ctx, session, c.Ref()); err != nil {
		return err
	}
	if err := m.failStart(c, verdict(c)); errors.Is(err, executor.OutcomeUnknown) {
		return err
	}
	if c.Desired == store.WantRemoved {
		return m.removeState(ctx, c.ID)
	}
	return nil
}

// pending returns the error for a caller whose wish is recorded and could not be carried
// out. That is done in the background. If it is only that the backend has not answered,
// the caller need not care.
func (m *Manager) pending(ctx context.Context, c *store.Container, wish string, err error) error {
	code := executor.CodeOf(err)
	if m.ctx.Err() != nil || code == executor.FailedPrecondition || code == executor.NotFound {
		return err // the next host does it, or there is nothing to do
	}
	m.pursue(c)
	if ctx.Err() != nil || !isLate(err) {
		return err
	}
	return api.Pending(code, "container %s: its %s is recorded, and done as soon as backend %s answers: %w", c.ID, wish, c.Backend, err)
}

// isLate reports whether an error leaves open what becomes of a call.
func isLate(err error) bool {
	return slices.Contains([]executor.Code{executor.Unavailable, executor.OutcomeUnknown, executor.DeadlineExceeded, executor.Canceled}, executor.CodeOf(err))
}

// pursue carries out, in the background, what is recorded of a container. If its backend
// has no session, the reconcile of the next one does it.
func (m *Manager) pursue(c *store.Container) {
	m.mu.Lock()
	pursued := m.pursued[c.ID]
	m.pursued[c.ID] = true
	m.mu.Unlock()
	if pursued {
		return
	}
	m.background(func() {
		defer func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.pursued, c.ID)
		}()
		session, err := m.backends.Session(m.ctx, c.Backend)
		if err != nil {
			return
		}
		_ = m.insist(session, c.ID, time.Second, func(ctx context.Context) error {
			now, err := m.record(c.ID)
			if errors.Is(err, executor.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			return m.reconcileOne(ctx, session, now, executor.Status{Ref: now.Ref()}, true)
		})
	})
}
