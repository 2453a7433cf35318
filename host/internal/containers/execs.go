package containers

import (
	"context"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// execRecord returns the record of an exec.
func (m *Manager) execRecord(ref executor.Ref) (e *store.Exec, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		e, err = tx.Exec(ref)
		return err
	})
	return e, err
}

// execRecords returns the records of the execs of a container, oldest first.
func (m *Manager) execRecords(id string) (all []*store.Exec, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		all, err = tx.Execs(id)
		return err
	})
	return all, err
}

// findExec returns the newest exec of a container with an id, of any attempt, or the one
// whose id begins so.
func (m *Manager) findExec(id, exec string) (*store.Exec, error) {
	all, err := m.execRecords(id)
	if err != nil {
		return nil, err
	}
	var found *store.Exec
	for _, e := range all {
		if e.Ref.Exec == exec {
			found = e
		}
	}
	if found == nil {
		return nil, executor.Errorf(executor.NotFound, "no exec %q of container %s", exec, id)
	}
	return found, nil
}

// anyExec returns the exec that a user means by an id, or by the beginning of one.
func (m *Manager) anyExec(reference, exec string) (*store.Exec, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	if e, err := m.findExec(c.ID, exec); err == nil {
		return e, nil
	}
	all, err := m.execRecords(c.ID)
	if err != nil {
		return nil, err
	}
	var found *store.Exec
	for _, e := range all {
		switch {
		case exec == "" || !strings.HasPrefix(e.Ref.Exec, exec):
		case found != nil:
			return nil, executor.Errorf(executor.Invalid, "%q is the start of more than one exec of container %s; give more of it", exec, reference)
		default:
			found = e
		}
	}
	if found == nil {
		return nil, executor.Errorf(executor.NotFound, "no exec %q of container %s", exec, reference)
	}
	return found, nil
}

// InspectExec returns an exec of a container. exec is its id, or the beginning of it.
func (m *Manager) InspectExec(reference, exec string) (api.Exec, error) {
	e, err := m.anyExec(reference, exec)
	if err != nil {
		return api.Exec{}, err
	}
	return viewExec(e), nil
}

// Execs returns the execs of a container, oldest first, with the last of those that have
// ended.
func (m *Manager) Execs(reference string) ([]api.Exec, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	records, err := m.execRecords(c.ID)
	all := make([]api.Exec, len(records))
	for i, e := range records {
		all[i] = viewExec(e)
	}
	return all, err
}

// WaitExec waits for the end of an exec and returns it.
func (m *Manager) WaitExec(ctx context.Context, reference, exec string) (*api.End, error) {
	e, err := m.anyExec(reference, exec)
	if err != nil {
		return nil, err
	}
	return m.waitExec(ctx, e.Ref)
}

func (m *Manager) waitExec(ctx context.Context, ref executor.Ref) (*api.End, error) {
	return m.waitFor(ctx, ref, m.execEndOf)
}

// execEndOf returns the end of an exec, or nil if it has not ended.
func (m *Manager) execEndOf(ref executor.Ref) (*api.End, error) {
	e, err := m.execRecord(ref)
	if err != nil || e.State != store.Released {
		return nil, err
	}
	return execEnd(e), nil
}

func execEnd(e *store.Exec) *api.End {
	return &api.End{Exit: *e.Exit, Attempt: e.Ref.Attempt, Output: e.Output}
}

// KillExec sends a signal to an exec.
func (m *Manager) KillExec(ctx context.Context, reference, exec string, sig executor.Signal) error {
	e, err := m.anyExec(reference, exec)
	if err != nil {
		return err
	}
	return m.signalExec(ctx, e, sig)
}

func (m *Manager) signalExec(ctx context.Context, e *store.Exec, sig executor.Signal) error {
	if e.State == store.Exited || e.State == store.Released {
		return executor.Errorf(executor.FailedPrecondition, "exec %s has ended", e.Ref)
	}
	_, err := backends.Call(ctx, m.backends, e.Backend, transport.MethodSignal, transport.SignalRequest{Ref: e.Ref, Signal: sig})
	return err
}

// ExecLogs copies the output of an exec to sink, if it goes to files, as opts say. With Follow
// it goes on until the exec has ended.
func (m *Manager) ExecLogs(ctx context.Context, reference, exec string, opts api.LogOptions, sink api.Sink) error {
	e, err := m.anyExec(reference, exec)
	if err != nil {
		return err
	}
	if e.Stdio.Pipes {
		return executor.Errorf(executor.FailedPrecondition, "the output of exec %s goes to its client, and is not kept", e.Ref)
	}
	return m.copyExec(ctx, e, opts, sink)
}

// copyExec copies the output of an exec from its files.
func (m *Manager) copyExec(ctx context.Context, e *store.Exec, opts api.LogOptions, sink api.Sink) error {
	ending, leave := m.await(e.Ref)
	defer leave()
	// Read after registering, so that no end is missed in between.
	end, err := m.execEndOf(e.Ref)
	if err != nil {
		return err
	}
	done := ending.done
	if end != nil || !opts.Follow {
		done = nil
	}
	return m.outputs.Copy(ctx, m.execFiles(e), opts, done, sink)
}

// viewExec returns what users see of a record.
func viewExec(e *store.Exec) api.Exec {
	v := api.Exec{
		ID: e.Ref.Exec, Container: e.Ref.ID, Attempt: e.Ref.Attempt, Command: e.Command, PID: e.PID,
		Stdin: e.Stdio.Stdin, Terminal: e.Stdio.Terminal,
		CreatedAt: e.CreatedAt, StartedAt: e.StartedAt, FinishedAt: e.FinishedAt,
	}
	switch e.State {
	case store.Creating:
		v.State = api.StateCreating
	case store.Exited:
		v.State = api.StateExiting
	case store.Released:
		v.State, v.Exit = api.StateExited, execEnd(e)
	default:
		v.State = api.StateRunning
	}
	return v
}
