package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// keepExecs is how many execs that have ended are kept of a container.
const keepExecs = 20

// Exec starts a further process in a container that runs, and leaves it running. Its output
// goes to files. A request that is repeated, with the same id, returns the exec that it made
// the first time. A command that cannot be started is an error, and leaves nothing.
func (m *Manager) Exec(ctx context.Context, reference string, opts api.ExecOptions) (api.Exec, error) {
	opts.Keep = true
	e, err := m.exec(ctx, reference, opts)
	if err != nil {
		return api.Exec{}, err
	}
	return viewExec(e), nil
}

// exec makes an exec and starts it, unless an earlier request has done that.
func (m *Manager) exec(ctx context.Context, reference string, opts api.ExecOptions) (*store.Exec, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	opts.ID = cmp.Or(opts.ID, newID())
	for {
		e, err := m.findExec(c.ID, opts.ID)
		if err == nil {
			e, err = m.awaitExecStart(ctx, e, opts)
		}
		if !errors.Is(err, executor.NotFound) {
			return e, err
		}
		e, session, err := m.prepareExec(ctx, c.ID, opts)
		if err != nil {
			return nil, err
		}
		existing, err := m.recordExec(ctx, e)
		switch {
		case err != nil:
			return nil, err
		case existing:
			continue
		}
		return m.startExec(ctx, session, e.Ref)
	}
}

// prepareExec makes the record of an exec, when the container runs. It writes nothing.
func (m *Manager) prepareExec(ctx context.Context, id string, opts api.ExecOptions) (*store.Exec, *backends.Session, error) {
	c, err := m.awaitRunning(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	session, err := m.backends.Session(ctx, c.Backend)
	if err != nil {
		return nil, nil, err
	}
	e := &store.Exec{
		Ref: executor.Ref{ID: c.ID, Attempt: c.Attempt, Exec: opts.ID}, Backend: c.Backend, Command: opts.Args,
		Stdio: store.Stdio{
			MaxBytes: c.Stdio.MaxBytes, Stdin: opts.Stdin, Terminal: opts.Terminal,
			Pipes: !opts.Keep && !opts.Terminal,
		},
		Attended: !opts.Keep, State: store.Creating, CreatedAt: time.Now(),
	}
	if err := e.Ref.Validate(); err != nil {
		return nil, nil, err
	}
	if isProbe(e.Ref) {
		return nil, nil, executor.Errorf(executor.Invalid, "exec %q: ids that begin with %q are those of health checks; choose another id", e.Ref.Exec, probePrefix)
	}
	if err := session.Require(append(e.Ref.Needs(), m.execFiles(e).Stdio().Needs()...)); err != nil {
		return nil, nil, err
	}
	var spec json.RawMessage
	err = m.store.View(func(tx *store.Tx) (err error) {
		spec, err = tx.Spec(c.ID)
		return err
	})
	if err == nil && string(spec) == unknownSpec {
		err = executor.Errorf(executor.FailedPrecondition, "container %s: what its processes are like was lost with the state", c.ID)
	}
	if err == nil {
		e.Spec, err = ocispec.Process(spec, opts.Process())
	}
	return e, session, err
}

// awaitRunning waits for a container that is being created, and returns its record. The
// error for one that does not run is [executor.FailedPrecondition].
func (m *Manager) awaitRunning(ctx context.Context, id string) (*store.Container, error) {
	for {
		changed := m.store.Changed()
		c, err := m.record(id)
		switch {
		case err != nil:
			return nil, err
		case c.State == store.Paused:
			return nil, executor.Errorf(executor.FailedPrecondition, "container %s is paused; unpause it first", c.ID)
		case c.State == store.Running:
			return c, nil
		case c.State != store.Creating:
			return nil, executor.Errorf(executor.FailedPrecondition, "container %s is not running", c.ID)
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// recordExec records an exec that is to be started, and removes the oldest of those that
// have ended. existing means that a request with the same id was faster.
func (m *Manager) recordExec(ctx context.Context, e *store.Exec) (existing bool, err error) {
	var old []executor.Ref
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		old = nil
		made, err := tx.CreateExec(e)
		if existing = made != nil; existing || err != nil {
			return err
		}
		all, err := tx.Execs(e.Ref.ID)
		all = slices.DeleteFunc(all, func(e *store.Exec) bool { return e.State != store.Released })
		for _, e := range all[:max(0, len(all)-keepExecs)] {
			old = append(old, e.Ref)
			err = errors.Join(err, tx.RemoveExec(e.Ref))
		}
		return err
	})
	if err != nil {
		return false, err
	}
	for _, ref := range old {
		if err := m.outputs.RemoveProcess(ref); err != nil {
			m.logger.Warn("the output of an exec is not removed", "exec", ref.String(), "error", err)
		}
	}
	return existing, nil
}

// awaitExecStart waits until an exec that another request has made was started. The error is
// [executor.NotFound] if it could not be, and [executor.AlreadyExists] if it runs something
// else than opts say.
func (m *Manager) awaitExecStart(ctx context.Context, e *store.Exec, opts api.ExecOptions) (*store.Exec, error) {
	if len(opts.Args) > 0 && len(e.Command) > 0 && opts.Args[0] != e.Command[0] && !strings.HasSuffix(e.Command[0], "…") {
		return nil, executor.Errorf(executor.AlreadyExists, "exec %q of container %s runs %q; choose another id", e.Ref.Exec, e.Ref.ID, e.Command[0])
	}
	for {
		changed := m.store.Changed()
		now, err := m.execRecord(e.Ref)
		if err != nil || now.State != store.Creating {
			return now, err
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// startExec starts an exec whose intent is on disk, and returns its record. If the executor
// dies meanwhile it asks the next one again, since Create is idempotent; if there is none,
// reconcile goes on. The exec starts also if ctx ends.
func (m *Manager) startExec(ctx context.Context, session *backends.Session, ref executor.Ref) (*store.Exec, error) {
	ctx = context.WithoutCancel(ctx)
	unlock, err := m.starts.Lock(ctx, ref.String())
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, files, err := m.makeExecFiles(ctx, ref)
	if err != nil || e.State != store.Creating {
		return e, err
	}
	c, err := m.record(ref.ID)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(m.startTimeout(c))
	w := executor.Workload{Ref: ref, Spec: e.Spec, Stdio: files.Stdio()}
	again := false
	for pause := 50 * time.Millisecond; ; again, pause = true, min(2*pause, 5*time.Second) {
		status, err := backends.On(transport.Within(ctx, max(time.Second, time.Until(deadline))), session, transport.MethodCreate, w)
		if err == nil {
			return m.recordExecRunning(ctx, status)
		}
		unknown := errors.Is(err, executor.OutcomeUnknown) || again && errors.Is(err, executor.Unavailable)
		switch {
		case m.ctx.Err() != nil:
			return nil, errClosing()
		case !unknown && !session.Ended():
			return nil, m.failExec(e, err)
		case !session.Ended() && time.Now().After(deadline):
			m.background(func() { m.giveUpExec(session, e) })
			return nil, executor.Errorf(executor.DeadlineExceeded, "exec %s: %w", ref, err)
		}
		m.logger.Warn("start of an exec was interrupted", "exec", ref.String(), "backend", e.Backend, "error", err)
		next, down := session.Next(ctx, pause)
		if down != nil {
			return nil, executor.Errorf(executor.OutcomeUnknown, "exec %s: %w; its start is tried again as soon as backend %s answers", ref, err, e.Backend)
		}
		session = next
		if e, err = m.execRecord(ref); err != nil || e.State != store.Creating {
			return e, err
		}
	}
}

// makeExecFiles makes the files of an exec that is to be started, and returns its record.
func (m *Manager) makeExecFiles(ctx context.Context, ref executor.Ref) (*store.Exec, output.Files, error) {
	// A removal has this lock, too: nothing is made of what is gone.
	unlock, err := m.starts.Lock(ctx, ref.ID)
	if err != nil {
		return nil, output.Files{}, err
	}
	defer unlock()
	e, err := m.execRecord(ref)
	if err != nil || e.State != store.Creating {
		return e, output.Files{}, err
	}
	files, err := m.makeFilesOf(ref, e.Backend, m.layoutOf(e.Stdio))
	if err != nil {
		return nil, files, m.failExec(e, err)
	}
	return e, files, nil
}

// failExec removes an exec that could not be started, and returns the reason.
func (m *Manager) failExec(e *store.Exec, reason error) error {
	ctx := context.WithoutCancel(m.ctx)
	m.outputs.Untrack(e.Ref)
	err := m.outputs.RemoveProcess(e.Ref)
	if err == nil {
		err = m.store.Update(ctx, func(tx *store.Tx) error {
			if err := tx.RemoveExec(e.Ref); err != nil {
				return err
			}
			return appendExecEvent(tx, api.EventExecFailed, e, map[string]string{"error": reason.Error()})
		})
	}
	if err != nil {
		m.logger.Warn("an exec that could not be started is not removed", "exec", e.Ref.String(), "error", err)
	}
	m.notify(e.Ref, nil)
	return reason
}

// giveUpExec undoes the start of an exec of which nobody knows how it went.
func (m *Manager) giveUpExec(session *backends.Session, e *store.Exec) {
	err := m.insist(session, e.Ref.ID, 0, func(ctx context.Context) error { return executor.Destroy(ctx, session, e.Ref) })
	if err == nil {
		_ = m.failExec(e, executor.Errorf(executor.DeadlineExceeded, "it was not started in time"))
	}
}

// recordExecRunning records that an exec runs, unless its end is known already.
func (m *Manager) recordExecRunning(ctx context.Context, status executor.Status) (e *store.Exec, err error) {
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		if e, err = tx.Exec(status.Ref); err != nil || e.State != store.Creating || status.State.Ended() {
			return err // of one that has ended, its Exited comes
		}
		e.State, e.PID, e.StartedAt = store.Running, status.PID, status.StartedAt
		if err := tx.PutExec(e); err != nil {
			return err
		}
		return appendExecEvent(tx, api.EventExecStarted, e, nil)
	})
	return e, err
}

func appendExecEvent(tx *store.Tx, typ string, e *store.Exec, data map[string]string) error {
	if data == nil {
		data = map[string]string{}
	}
	data["exec"] = e.Ref.Exec
	_, err := tx.Append(store.Event{Type: typ, Container: e.Ref.ID, Attempt: e.Ref.Attempt, Backend: e.Backend, Data: data})
	return err
}

// execFiles returns the files of an exec.
func (m *Manager) execFiles(e *store.Exec) output.Files {
	return m.outputs.Files(e.Ref, m.layoutOf(e.Stdio))
}
