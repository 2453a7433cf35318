package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// unfinishedExecs returns the execs on a backend that are not over, and the refs of all.
func (m *Manager) unfinishedExecs(backend string) (open []*store.Exec, known map[executor.Ref]bool, err error) {
	known = map[executor.Ref]bool{}
	all, err := m.records()
	for _, c := range all {
		if c.Backend != backend {
			continue
		}
		execs, eerr := m.execRecords(c.ID)
		err = errors.Join(err, eerr)
		for _, e := range execs {
			if e.State != store.Released {
				open = append(open, e)
				known[e.Ref] = true
			}
		}
	}
	return open, known, err
}

// reconcileExec reconciles an exec that is not over, after its container.
func (m *Manager) reconcileExec(ctx context.Context, session *backends.Session, ref executor.Ref) error {
	e, err := m.execRecord(ref)
	if errors.Is(err, executor.NotFound) {
		return nil // its container was removed meanwhile
	}
	if err != nil || e.State == store.Released {
		return err
	}
	files := m.execFiles(e)
	status, err := backends.On(ctx, session, transport.MethodRestore, transport.RestoreRequest{Ref: ref, Stdio: files.Stdio()})
	switch {
	case errors.Is(err, executor.NotFound) && e.State == store.Creating:
		m.background(func() { _, _ = m.startExec(m.ctx, session, ref) })
	case errors.Is(err, executor.NotFound):
		return m.loseExec(ctx, e, "backend "+e.Backend+" does not know it any more")
	case err != nil:
		return err
	case status.State.Ended():
		return m.recordEnd(ctx, e.Backend, status)
	default:
		if _, err := m.recordExecRunning(ctx, status); err != nil {
			return err
		}
		if !e.Stdio.Pipes {
			if err := m.outputs.Track(files); err != nil {
				m.logger.Warn("output is not tracked", "exec", ref.String(), "error", err)
			}
		}
		if e.InputClosed {
			m.background(func() { m.closeAgain(session, ref) })
		}
	}
	if e.Attended {
		m.background(func() { m.awaitClient(ref) })
	}
	return nil
}

// reconcileUnknownExec removes an exec that has ended and that nobody asks for any more. One
// that runs is left alone: it ends with its container at the latest.
func (m *Manager) reconcileUnknownExec(ctx context.Context, session *backends.Session, status executor.Status) error {
	if isProbe(status.Ref) {
		return m.reconcileProbe(ctx, session, status)
	}
	if !status.State.Ended() {
		m.logger.Warn("an exec without a record runs on", "exec", status.Ref.String(), "backend", session.Backend, "pid", status.PID)
		return nil
	}
	_, err := backends.On(ctx, session, transport.MethodDelete, status.Ref)
	return err
}

// awaitClient hangs up an exec whose client does not come back.
func (m *Manager) awaitClient(ref executor.Ref) {
	select {
	case <-time.After(clientWait):
	case <-m.ctx.Done():
		return
	}
	if e, err := m.execRecord(ref); err == nil && e.Attended && !m.attended(ref) {
		m.hangUp(ref)
	}
}

// closeLater closes an input whose close has failed: what is behind the backend may be down.
// Without a session there is a reconcile to come.
func (m *Manager) closeLater(backend string, ref executor.Ref) {
	m.background(func() {
		if session, err := m.backends.Session(m.ctx, backend); err == nil {
			m.closeAgain(session, ref)
		}
	})
}

// closeAgain repeats the close of an input until it is made, or the session has ended.
func (m *Manager) closeAgain(session *backends.Session, ref executor.Ref) {
	_ = m.insist(session, ref.ID, 0, func(ctx context.Context) error {
		_, err := backends.On(ctx, session, transport.MethodCloseInput, ref)
		if errors.Is(err, executor.FailedPrecondition) || errors.Is(err, executor.NotFound) {
			return nil
		}
		return err
	})
}
