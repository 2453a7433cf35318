package containers

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

const (
	// clientWait is how long an exec without a client is left alone when a host has begun
	// to look after it: the client of the earlier host comes back.
	clientWait = 30 * time.Second
	// hangUpWait is how long an exec whose client has gone may take to end after SIGHUP,
	// and once more after SIGTERM, before it is killed.
	hangUpWait = 5 * time.Second
)

// execExited records the end of an exec. The first report is kept.
func (r reports) execExited(ctx context.Context, status executor.Status) error {
	if isProbe(status.Ref) {
		r.manager.probeExited(status)
		return nil
	}
	return r.manager.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := r.owned(tx, status.Ref); err != nil {
			return err
		}
		e, err := tx.Exec(status.Ref)
		if err != nil || e.Exit != nil {
			return err
		}
		if e.State == store.Creating {
			// It ended before Create's answer was recorded.
			e.StartedAt = status.StartedAt
			if err := appendExecEvent(tx, api.EventExecStarted, e, nil); err != nil {
				return err
			}
		}
		return putExecExit(tx, e, *status.Exit)
	})
}

func putExecExit(tx *store.Tx, e *store.Exec, exit executor.Exit) error {
	e.State, e.PID, e.Exit, e.FinishedAt = store.Exited, 0, &exit, exit.At
	if e.FinishedAt.IsZero() {
		e.FinishedAt = time.Now()
	}
	return tx.PutExec(e)
}

// execReleased records that the output of an exec is complete. From then on users see it as
// ended.
func (r reports) execReleased(ctx context.Context, ref executor.Ref, out executor.Output) error {
	if isProbe(ref) {
		return nil // its end was enough
	}
	err := r.manager.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := r.owned(tx, ref); err != nil {
			return err
		}
		e, err := tx.Exec(ref)
		switch {
		case err != nil:
			return err
		case e.Exit == nil:
			return executor.Errorf(executor.NotFound, "no exit of %s is recorded", ref)
		case e.State == store.Released:
			return nil
		}
		return releaseExec(tx, e, out)
	})
	if err == nil {
		r.manager.afterExec(r.backend, ref)
	}
	return err
}

func releaseExec(tx *store.Tx, e *store.Exec, out executor.Output) error {
	e.State, e.Output = store.Released, out
	e.Spec = nil // nobody starts it again
	if err := tx.PutExec(e); err != nil {
		return err
	}
	return appendExecEvent(tx, api.EventExecExited, e, endData(execEnd(e)))
}

// afterExec does what follows the end of an exec: those who wait are told, and its backend
// forgets it. If the host dies before that is done, the next one does it.
func (m *Manager) afterExec(backend string, ref executor.Ref) {
	m.outputs.Untrack(ref)
	if end, err := m.execEndOf(ref); err == nil {
		m.notify(ref, end)
	}
	m.background(func() {
		if _, err := backends.Call(m.ctx, m.backends, backend, transport.MethodDelete, ref); err != nil && m.ctx.Err() == nil {
			m.logger.Debug("an exec that has ended is not deleted yet", "exec", ref.String(), "error", err)
		}
	})
}

// loseExec records the end of an exec whose exit, or the rest of whose output, nobody can
// know any more.
func (m *Manager) loseExec(ctx context.Context, e *store.Exec, reason string) error {
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		now, err := tx.Exec(e.Ref)
		if err != nil || now.State == store.Released {
			return err
		}
		if now.Exit == nil {
			if err := putExecExit(tx, now, *executor.LostExit(reason)); err != nil {
				return err
			}
		}
		return releaseExec(tx, now, executor.Truncated)
	})
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	if err == nil {
		m.afterExec(e.Backend, e.Ref)
	}
	return err
}

// hangUp ends an exec whose client has gone for good.
func (m *Manager) hangUp(ref executor.Ref) {
	for _, sig := range []executor.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGKILL} {
		e, err := m.execRecord(ref)
		if err != nil || e.State == store.Released {
			return
		}
		if err := m.signalExec(m.ctx, e, sig); err != nil && m.ctx.Err() == nil && !errors.Is(err, executor.FailedPrecondition) {
			m.logger.Debug("an exec without a client was not sent a signal", "exec", ref.String(), "signal", sig.String(), "error", err)
		}
		ctx, cancel := context.WithTimeout(m.ctx, hangUpWait)
		m.awaitExit(ctx, ref)
		cancel()
		if e, err = m.execRecord(ref); err != nil || e.Exit != nil {
			break
		}
	}
	// What it has written and nobody reads would keep it from being released.
	e, err := m.execRecord(ref)
	if err != nil || e.State == store.Released || m.ctx.Err() != nil {
		return
	}
	session, err := m.backends.Session(m.ctx, e.Backend)
	if err == nil {
		err = m.insist(session, ref.ID, 0, func(ctx context.Context) error { return executor.Destroy(ctx, session, ref) })
	}
	if err == nil {
		err = m.loseExec(m.ctx, e, "its client went away, and it was ended")
	}
	if err != nil && m.ctx.Err() == nil {
		m.logger.Warn("an exec without a client is not removed yet", "exec", ref.String(), "error", err)
	}
}

// awaitExit waits until the exit of an exec is known.
func (m *Manager) awaitExit(ctx context.Context, ref executor.Ref) {
	for {
		changed := m.store.Changed()
		if e, err := m.execRecord(ref); err != nil || e.Exit != nil || m.awaitChange(ctx, changed) != nil {
			return
		}
	}
}
