package containers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
	"github.com/davit-run/davit/shared/transport"
)

const (
	// maxDeaths is how many executors may end while they start an attempt. Others that are
	// started at that time are not to blame, so what was started when an executor ended
	// is then tried alone.
	maxDeaths = 3
	// maxBadReplies is the number of malformed replies to Create after which the
	// caller gets the error. The executor has been replaced by then.
	maxBadReplies = 6
)

// startFirst starts an attempt that was not tried before. If the outcome stays unknown,
// it is tried again in the background.
func (m *Manager) startFirst(ctx context.Context, session *backends.Session, record *store.Container, spec json.RawMessage) error {
	err := m.start(ctx, session, record, spec, false)
	if errors.Is(err, executor.OutcomeUnknown) {
		m.background(func() { m.startAgain(session, record) })
	}
	return err
}

// start starts the present attempt of a record whose intent is on disk, and records the
// outcome. If the executor dies meanwhile it asks the next one again, since Create is
// idempotent. If the outcome is unknown it leaves the record as it is, for reconcile to
// find out. again means that an earlier try had an unknown outcome.
func (m *Manager) start(ctx context.Context, session *backends.Session, record *store.Container, spec json.RawMessage, again bool) (err error) {
	// A reconcile may repeat a start that a caller is still waiting for. The second one
	// finds the outcome of the first.
	unlock, err := m.starts.Lock(context.WithoutCancel(ctx), record.ID)
	if err != nil {
		return err
	}
	defer unlock()
	// A caller that goes away must not undo a start that may already have happened.
	ctx, leave := m.beginStart(context.WithoutCancel(ctx), record.ID)
	defer leave()
	if due, err := m.due(record); !due {
		return err
	}
	ctx, span := trace.Start(ctx, "start")
	span.Set("davit.container", record.ID)
	span.Set("davit.backend", record.Backend)
	defer func() { span.End(err) }()
	steps := stepper{observer: m.opts.Observer, backend: record.Backend, began: time.Now()}
	defer func() { steps.end(err) }()
	var files output.Files
	err = steps.do(ctx, nil, StepFiles, func(context.Context) (err error) {
		if files, err = m.makeFiles(record); err == nil {
			err = m.makeShm(record, again)
		}
		return err
	})
	err = steps.do(ctx, err, StepRootfs, func(context.Context) error { return m.images.Roots().Mount(record.ID) })
	err = steps.do(ctx, err, StepNetwork, func(ctx context.Context) error {
		if err := m.upNetwork(ctx, record, again); err != nil {
			return err
		}
		return m.makeEtc(record, spec)
	})
	err = steps.do(ctx, err, StepPorts, func(ctx context.Context) error {
		leases, _ := m.networks.Leases(record) // upNetwork has found them
		m.syncHosts(leases)
		if !again {
			m.nameResolver(ctx, record)
		}
		return m.holdPorts(context.WithoutCancel(ctx), record.ID, again)
	})
	var open entered
	if err == nil {
		spec, open, err = m.enter(ctx, record, spec)
		defer open.close()
	}
	switch {
	case err != nil && errors.Is(context.Cause(ctx), errStopped): // and who stopped it settles what is left
		return executor.Errorf(executor.Canceled, "container %s: %w", record.ID, errStopped)
	case err != nil && ctx.Err() != nil: // the next host tries it again
		return executor.Errorf(executor.OutcomeUnknown, "container %s: %w", record.ID, context.Cause(ctx))
	case err != nil:
		return m.failUnheard(context.WithoutCancel(ctx), session, record, err, again)
	}
	if due, err := m.due(record); !due { // it may have been stopped before this start could be found
		return err
	}
	t := &try{manager: m, record: record, timeout: m.startTimeout(record)}
	t.deadline = time.Now().Add(t.timeout)
	workload := executor.Workload{Ref: record.Ref(), Spec: spec, Runtime: record.Runtime, Stdio: files.Stdio()}
	for pause := 50 * time.Millisecond; ; again, pause = true, min(2*pause, 5*time.Second) {
		began := time.Now()
		var status executor.Status
		err := steps.do(ctx, nil, StepCreate, func(ctx context.Context) (err error) {
			status, err = t.create(ctx, session, workload)
			return err
		})
		switch {
		case err == nil:
			if err := m.confirm(context.WithoutCancel(ctx), session, record, status, open); err != nil {
				return m.giveUp(session, record, err)
			}
			return steps.do(ctx, nil, StepRecord, func(ctx context.Context) error { return m.recordRunning(context.WithoutCancel(ctx), status) })
		case errors.Is(context.Cause(ctx), errStopped): // and who stopped it settles what is left
			return executor.Errorf(executor.Canceled, "container %s: %w", record.ID, errStopped)
		case ctx.Err() != nil:
			return executor.Errorf(executor.OutcomeUnknown, "container %s: %w", record.ID, context.Cause(ctx))
		}
		// An executor that is not available cannot say what became of an earlier try.
		unknown := errors.Is(err, executor.OutcomeUnknown) || again && errors.Is(err, executor.Unavailable)
		switch {
		case !unknown && !session.Ended():
			return m.failStart(record, t.explain(err))
		case !session.Ended() && (errors.Is(err, transport.ErrNoAnswer) || time.Now().After(t.deadline)):
			return m.giveUp(session, record, t.explain(err))
		}
		m.logger.Warn("start was interrupted", "container", record.ID, "backend", record.Backend, "error", err)
		if errors.Is(err, transport.ErrBadReply) {
			if t.badReplies++; t.badReplies == maxBadReplies {
				return errPending(record, err)
			}
		}
		next, down := session.Next(ctx, pause)
		if session.Ended() && errors.Is(err, executor.OutcomeUnknown) && !errors.Is(err, transport.ErrBadReply) {
			var tooMany error
			if record, tooMany = t.countDeath(began); tooMany != nil {
				return m.giveUp(next, record, tooMany)
			}
		}
		if down != nil {
			return errPending(record, err)
		}
		session = next
		// The reconcile of that session may have found that the container was started
		// after all. The container may even have ended since, and been removed.
		if due, err := m.due(record); !due {
			return err
		}
	}
}

// failUnheard fails a start of which the backend does not hear. With again it may have heard
// of an earlier try, and what that has started runs on.
func (m *Manager) failUnheard(ctx context.Context, session *backends.Session, record *store.Container, reason error, again bool) error {
	if again {
		switch status, err := m.restore(ctx, session, record); {
		case err == nil && status.State.Ended():
			return m.recordEnd(ctx, session.Backend, status)
		case err == nil:
			m.logger.Warn("a container that runs lacks what its next start needs", "container", record.ID, "error", reason)
			return m.recordRunning(ctx, status)
		case !errors.Is(err, executor.NotFound):
			return executor.Errorf(executor.OutcomeUnknown, "%w; and whether it was started before is not known: %w", reason, err)
		}
	}
	m.dropPrevious(ctx, session, record)
	return m.failStart(record, reason)
}

// dropPrevious removes what a backend keeps of the attempt before one of which it never hears.
// The Create of that would have done it.
func (m *Manager) dropPrevious(ctx context.Context, session *backends.Session, record *store.Container) {
	if record.Attempt == 1 {
		return
	}
	before := record.Ref()
	before.Attempt--
	if _, err := backends.On(ctx, session, transport.MethodDelete, before); err != nil {
		m.logger.Warn("an earlier attempt is still known to its backend", "container", record.ID, "attempt", before.Attempt, "error", err)
	}
}

// due reports whether an attempt still has to be started. If not, the error is that of
// its start, or says that the container is gone or is to end.
func (m *Manager) due(record *store.Container) (bool, error) {
	now, err := m.record(record.ID)
	switch {
	case err != nil:
		return false, err
	case now.Attempt == record.Attempt && now.State == store.Failed:
		return false, failed(now)
	case now.Attempt == record.Attempt && now.State == store.Creating && decided(now):
		return false, executor.Errorf(executor.FailedPrecondition, "container %s is not started: %w", record.ID, verdict(now))
	}
	return now.Attempt == record.Attempt && now.State == store.Creating, nil
}

// errPending returns the error of a start that is tried again when the backend answers.
func errPending(record *store.Container, err error) error {
	return executor.Errorf(executor.OutcomeUnknown, "container %s: %w; the start is tried again as soon as backend %s answers", record.ID, err, record.Backend)
}

// recordRunning records that an attempt runs, unless its end is known already.
func (m *Manager) recordRunning(ctx context.Context, status executor.Status) error {
	if status.State.Ended() {
		return nil // its Exited will come, or has come
	}
	if c, err := m.record(status.Ref.ID); err == nil && c.Attempt == status.Ref.Attempt &&
		c.State == store.State(status.State) && c.PID == status.PID && c.StartedAt.Equal(status.StartedAt) {
		m.watchHealth(c)
		return nil // nothing changed
	}
	var running *store.Container
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(status.Ref.ID)
		if err != nil {
			return err
		}
		if c.Attempt != status.Ref.Attempt || c.State == store.Exited || ended(c) {
			return nil
		}
		started := c.State == store.Creating
		c.State, c.PID, c.StartedAt = store.State(status.State), status.PID, status.StartedAt
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		running = c
		if !started {
			return nil
		}
		return appendEvent(tx, api.EventStarted, c, nil)
	})
	if err == nil && running != nil {
		m.watchHealth(running)
	}
	return err
}

// failStart records that an attempt could not be started, and returns the reason.
// Nothing of it is left on the backend. While the failure cannot be recorded, the
// outcome is unknown: the record asks for a start, which is then tried again.
func (m *Manager) failStart(record *store.Container, reason error) error {
	m.outputs.Untrack(record.Ref())
	err := m.recordFailure(record, reason)
	if err == nil || errors.Is(err, executor.NotFound) {
		return reason
	}
	return executor.Errorf(executor.OutcomeUnknown, "%w; and that cannot be recorded: %w", reason, err)
}

// recordFailure records that an attempt could not be started.
func (m *Manager) recordFailure(record *store.Container, reason error) error {
	ctx := context.WithoutCancel(m.ctx)
	if record.AutoRemove {
		err := m.removeState(ctx, record.ID)
		if err == nil {
			m.notify(record.Ref(), nil)
		}
		if !errors.Is(err, errNetworkHeld) {
			return err
		}
		m.pursue(record) // and it has failed meanwhile
	}
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(record.ID)
		if err != nil {
			return err
		}
		if c.Attempt != record.Attempt || c.State != store.Creating {
			return nil // somebody else has found out more
		}
		c.State, c.Error, c.ErrorCode = store.Failed, reason.Error(), executor.CodeOf(reason)
		if c.AutoRemove {
			c.Desired = store.WantRemoved
		}
		// One that has run before, or that only the end of the host has kept from it, is
		// started again by its policy.
		if (c.Attempt > 1 || m.isDraining()) && c.Deaths < maxDeaths {
			setRestart(c, true)
		}
		if c.RestartAt.IsZero() && c.Desired == store.WantRunning {
			c.Desired = store.WantStopped
		}
		record = c
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		return appendEvent(tx, api.EventFailed, c, map[string]string{"error": reason.Error()})
	})
	if err != nil {
		return err
	}
	m.keepCopy(record.ID)
	m.settlePorts(record)
	m.notify(record.Ref(), nil)
	if sharesMemory(record) {
		m.background(func() { m.freeShm(record.ID) })
	}
	if !record.RestartAt.IsZero() {
		m.scheduleRestart(record)
	}
	return nil
}
