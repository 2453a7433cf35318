package host

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"github.com/davit-run/davit/shared/transport"
)

// createTimeout bounds Create on a backend. Seen: 50 ms; a loaded machine may
// take many seconds.
const createTimeout = 2 * time.Minute

// maxNonsense is how many answers to Create that are no answer an executor may give
// before it is replaced. One may be due to what is special about a moment. When the
// next process answers no better, whoever waits is told.
const maxNonsense = 3

// startFirst is start for an attempt that was not tried before. If its outcome
// stays unknown, that is looked after from then on.
func (h *Host) startFirst(ctx context.Context, session *supervisor.Session, record *store.Container, spec json.RawMessage) error {
	err := h.start(ctx, session, record, spec, false)
	if errors.Is(err, executor.OutcomeUnknown) {
		h.background(func() { h.startAgain(session, record) })
	}
	return err
}

// start runs the present attempt of a record whose intent is on disk, and
// records what came of it. When the executor dies meanwhile the next one is asked
// again, since Create is idempotent. An error whose outcome is unknown leaves the
// record as it is, for reconcile to find out. again says that there was such an
// outcome before.
func (h *Host) start(ctx context.Context, session *supervisor.Session, record *store.Container, spec json.RawMessage, again bool) error {
	// A reconcile may repeat a start that a caller is still waiting for. Whoever
	// comes second finds the outcome of the first.
	endTurn, err := h.turn(context.WithoutCancel(ctx), record.ID)
	if err != nil {
		return err
	}
	defer endTurn()
	if due, err := h.due(record); !due {
		return err
	}
	ref := record.Ref()
	files, err := h.output.Create(ref, record.Stdio.Merged)
	if b := h.backends[record.Backend]; err == nil && b != nil && b.config.User != "" {
		var user supervisor.User
		if user, err = b.owner(); err == nil {
			err = h.output.Give(ref, record.Stdio.Merged, user.UID, user.GID)
		}
	}
	if err == nil {
		err = h.track(record)
	}
	if err == nil {
		err = failpoint.Hit("host.start.output")
	}
	if err != nil {
		return h.failStart(record, err)
	}
	// A caller who hangs up must not undo a start that may already have happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	nonsense := 0
	for pause := 50 * time.Millisecond; ; again, pause = true, min(2*pause, 5*time.Second) {
		status, err := session.Create(ctx, executor.Workload{Ref: ref, Spec: spec, Runtime: record.Runtime, Stdio: files.Stdio(h.outputMax(record))})
		_ = failpoint.Hit("host.start.answered")
		if err == nil {
			return h.recordRunning(ctx, status)
		}
		// What is not available now cannot tell what became of the try before.
		unknown := errors.Is(err, executor.OutcomeUnknown) || again && errors.Is(err, executor.Unavailable)
		if !unknown && !session.Ended() {
			return h.failStart(record, err)
		}
		h.logger.Warn("start was interrupted", "container", record.ID, "backend", record.Backend, "error", err)
		h.unlessHung(ctx, session, record.Backend)
		if errors.Is(err, transport.ErrBadReply) {
			if nonsense++; nonsense%maxNonsense == 0 {
				h.abandon(session, record.Backend, err)
			}
			if nonsense == 2*maxNonsense {
				return later(record, err)
			}
		}
		var down error
		if session, down = h.nextSession(ctx, record.Backend, pause); down != nil {
			return later(record, err)
		}
		// The reconcile of that session may have found that the container was started
		// after all. It may even have ended since, and been removed.
		if due, err := h.due(record); !due {
			return err
		}
	}
}

// due reports whether an attempt still waits for its start. If not, the error is that
// of its start, or says that the container is gone.
func (h *Host) due(record *store.Container) (bool, error) {
	now, err := h.record(record.ID)
	switch {
	case err != nil:
		return false, err
	case now.Attempt == record.Attempt && now.State == store.Failed:
		return false, failed(now)
	}
	return now.Attempt == record.Attempt && now.State == store.Creating, nil
}

// later is the error of a start that goes on when the backend is of use again.
func later(record *store.Container, err error) error {
	return executor.Errorf(executor.OutcomeUnknown, "container %s: %w; it is looked after as soon as backend %s answers", record.ID, err, record.Backend)
}

// unlessHung ends a session on which a call has got no answer in its time, ctx's.
// The executor answers others, or it would have been found to hang, but what it has
// for this container nobody can work on any more. The next one can.
func (h *Host) unlessHung(ctx context.Context, session *supervisor.Session, backend string) {
	if ctx.Err() == nil || h.ctx.Err() != nil || session.Ended() {
		return
	}
	h.abandon(session, backend, errors.New("it does not answer a call"))
}

// abandon gives up an executor that is broken. Another process takes its place, and
// if that does not help, the backend fails for all to see.
func (h *Host) abandon(session *supervisor.Session, backend string, reason error) {
	h.logger.Error("the executor is broken and is replaced", "backend", backend, "error", reason)
	session.Abandon(reason)
}

// nextSession gives a session for one more try, after a pause.
func (h *Host) nextSession(ctx context.Context, backend string, pause time.Duration) (*supervisor.Session, error) {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.ctx.Done():
		return nil, h.ctx.Err()
	}
	return h.session(ctx, backend)
}

// turn waits until nobody else starts or deletes the container, and gives the function
// that ends our turn. The error is ctx's.
func (h *Host) turn(ctx context.Context, id string) (end func(), err error) {
	for {
		h.mu.Lock()
		before := h.turns[id]
		if before == nil {
			ours := make(chan struct{})
			h.turns[id] = ours
			h.mu.Unlock()
			return func() {
				h.mu.Lock()
				delete(h.turns, id)
				h.mu.Unlock()
				close(ours)
			}, nil
		}
		h.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// recordRunning records that an attempt runs, unless its end is known already.
func (h *Host) recordRunning(ctx context.Context, status executor.Status) error {
	if status.State.Ended() {
		return nil // its Exited comes, or has come
	}
	if c, err := h.record(status.Ref.ID); err == nil && c.Attempt == status.Ref.Attempt &&
		c.State == store.State(status.State) && c.PID == status.PID && c.StartedAt.Equal(status.StartedAt) {
		return nil // as it was
	}
	err := h.store.Update(ctx, func(tx *store.Tx) error {
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
		if !started {
			return nil
		}
		return appendEvent(tx, EventStarted, c, nil)
	})
	_ = failpoint.Hit("host.start.recorded")
	return err
}

// failStart records that an attempt could not be started, and gives the reason
// back. Nothing of it is left on the backend.
func (h *Host) failStart(record *store.Container, reason error) error {
	ctx := context.WithoutCancel(h.ctx)
	_ = failpoint.Hit("host.fail.begin")
	h.tracker.Remove(record.Ref())
	if record.AutoRemove {
		err := h.forget(ctx, record.ID)
		h.announce(record.Ref(), nil)
		return errors.Join(reason, err)
	}
	err := h.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(record.ID)
		if err != nil {
			return err
		}
		c.State, c.Error, c.ErrorCode = store.Failed, reason.Error(), executor.CodeOf(reason)
		if c.Attempt > 1 { // it has run before: its policy goes on
			planRestart(c, true)
		}
		if c.RestartAt.IsZero() {
			c.Desired = store.WantStopped
		}
		record = c
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		return appendEvent(tx, EventFailed, c, map[string]string{"error": reason.Error()})
	})
	_ = failpoint.Hit("host.fail.recorded")
	h.announce(record.Ref(), nil)
	if err == nil && !record.RestartAt.IsZero() {
		h.scheduleRestart(record)
	}
	return errors.Join(reason, err)
}
