package containers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/health"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

const (
	// probePrefix begins the ids of the execs of health checks. They have no records: what
	// an earlier host has left of them is known by this name, and removed.
	probePrefix = "health-"
	// probeStarts is how many commands of health checks a backend starts at once.
	probeStarts = 8
	// probeRemoval bounds the first try to remove what a command has left.
	probeRemoval = 2 * time.Second
)

// commandProbe is a command of a health check that runs or is being removed.
type commandProbe struct {
	ref executor.Ref
	// exited gets its end.
	exited chan executor.Exit
	// slow means that it took too long and is killed.
	slow bool
}

// isProbe reports whether a process is a command of a health check.
func isProbe(ref executor.Ref) bool { return strings.HasPrefix(ref.Exec, probePrefix) }

// probeCommand runs the command of a health check.
func (m *Manager) probeCommand(ctx context.Context, t health.Target) (r api.HealthResult, err error) {
	p := &commandProbe{
		ref:    executor.Ref{ID: t.Ref.ID, Attempt: t.Ref.Attempt, Exec: probePrefix + newID()},
		exited: make(chan executor.Exit, 1),
	}
	if other, slow := m.claimProbe(p); other {
		if !slow {
			return r, health.ErrUnknown // it has ended, and what it left behind is removed
		}
		now := time.Now().UTC()
		return api.HealthResult{Start: now, End: now, ExitCode: health.Aborted, Output: "the command of an earlier probe was killed, and has not ended yet"}, nil
	}
	run, err := m.prepareProbe(ctx, p, t.Check.Command)
	if err != nil {
		m.forgetProbe(p)
		return r, health.ErrUnknown
	}
	defer run.close()
	r, err = m.runProbe(ctx, p, run, t.Check.Timeout)
	m.removeProbe(ctx, run.session, p)
	return r, err
}

// runProbe runs a command to its end, or ends it when it takes too long.
func (m *Manager) runProbe(ctx context.Context, p *commandProbe, run *probeRun, timeout time.Duration) (r api.HealthResult, err error) {
	slots := m.probeSlots(run.session.Backend)
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return r, health.ErrUnknown
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r.Start = time.Now().UTC()
	status, err := backends.On(limited, run.session, transport.MethodCreate, run.workload)
	process := m.probeProcess(run.session, status)
	<-slots
	run.started()
	if err == nil {
		r.ExitCode, err = awaitProbe(limited, p, run)
	}
	if err != nil && limited.Err() != nil {
		process.Kill() // or those that it has started would stay, and keep its output open
	}
	r.End, r.Output = time.Now().UTC(), run.output()
	switch {
	case ctx.Err() != nil:
		return r, health.ErrUnknown
	case err != nil && limited.Err() != nil:
		if m.toProbe(p.ref.Init()) == nil { // what is paused cannot end
			m.markSlow(p)
		}
		return health.TimedOut(r, timeout), nil
	case err != nil:
		return commandFailed(r, err)
	}
	return r, nil
}

// probeSlots returns the slots of a backend: many starts at once would keep each other from
// ending in time.
func (m *Manager) probeSlots(backend string) chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	slots := m.probing[backend]
	if slots == nil {
		slots = make(chan struct{}, probeStarts)
		m.probing[backend] = slots
	}
	return slots
}

// commandFailed returns what the error of the start of a command says of a container: nothing
// if it is about the backend, or about an attempt that has ended.
func commandFailed(r api.HealthResult, err error) (api.HealthResult, error) {
	if errors.Is(err, health.ErrUnknown) {
		return r, err
	}
	switch executor.CodeOf(err) {
	case executor.Unavailable, executor.OutcomeUnknown, executor.Canceled, executor.DeadlineExceeded, executor.FailedPrecondition, executor.NotFound:
		return r, health.ErrUnknown
	}
	r.ExitCode, r.Output = health.Aborted, err.Error()
	return r, nil
}

// probeProcess returns the process of a command, or none if its backend is not to be trusted
// with the name of a process that the host kills.
func (m *Manager) probeProcess(session *backends.Session, status executor.Status) health.Process {
	if b, err := m.backends.Pick(session.Backend); err != nil || b.Config().User != "" {
		return health.Process{}
	}
	return health.ProcessOf(status.PID)
}

// claimProbe makes p the only command of its container. Otherwise it reports the one that
// there is, and whether that took too long.
func (m *Manager) claimProbe(p *commandProbe) (other, slow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if other := m.probes[p.ref.ID]; other != nil {
		return true, other.slow
	}
	m.probes[p.ref.ID] = p
	return false, false
}

func (m *Manager) markSlow(p *commandProbe) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.slow = true
}

func (m *Manager) forgetProbe(p *commandProbe) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.probes[p.ref.ID] == p {
		delete(m.probes, p.ref.ID)
	}
}

// probeOf returns the probe that a process is, or nil.
func (m *Manager) probeOf(ref executor.Ref) *commandProbe {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.probes[ref.ID]; p != nil && p.ref == ref {
		return p
	}
	return nil
}

// probeExited takes the end of a command. That of an earlier host's is of no use any more.
func (m *Manager) probeExited(status executor.Status) {
	if p := m.probeOf(status.Ref); p != nil {
		select {
		case p.exited <- *status.Exit:
		default: // it was reported before
		}
	}
}

// awaitProbe waits for the exit code of a command. The error is that of ctx, or
// [health.ErrUnknown] if nobody can know it.
func awaitProbe(ctx context.Context, p *commandProbe, run *probeRun) (int, error) {
	select {
	case exit := <-p.exited:
		if code, known := exit.ExitCode(); known {
			return code, nil
		}
		return 0, health.ErrUnknown
	case <-run.session.Done():
		return 0, health.ErrUnknown
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// removeProbe removes a command that has ended, or ends it, in the background: the next probe
// need not wait for what may take long. What is left when the host or the executor ends, the
// next reconcile removes.
func (m *Manager) removeProbe(ctx context.Context, session *backends.Session, p *commandProbe) {
	remove := func(ctx context.Context) error {
		if err := executor.Destroy(ctx, session, p.ref); err != nil {
			return err
		}
		return m.outputs.RemoveProcess(p.ref)
	}
	once, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeRemoval)
	defer cancel()
	if remove(once) == nil {
		m.forgetProbe(p)
		return
	}
	m.background(func() {
		defer m.forgetProbe(p)
		_ = m.insist(session, p.ref.ID, 0, remove)
	})
}

// reconcileProbe removes a command that an earlier session has left, with what it has started.
func (m *Manager) reconcileProbe(ctx context.Context, session *backends.Session, status executor.Status) error {
	if !status.State.Ended() {
		m.probeProcess(session, status).Kill()
	}
	if err := executor.Destroy(ctx, session, status.Ref); err != nil {
		return err
	}
	return m.outputs.RemoveProcess(status.Ref)
}
