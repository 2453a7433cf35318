package containers

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/health"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// prepareHealth returns the health check of a container as it is recorded, nil if there is
// none. Probes need a process in the namespaces of the container, which a backend with execs
// has.
func prepareHealth(h *api.HealthCheck, session *backends.Session) (*store.HealthCheck, error) {
	if h == nil || h.None {
		return nil, nil
	}
	if !h.Probes() {
		return nil, executor.Errorf(executor.Invalid, "health check: how often to probe is said, and not what; give a command, TCP or HTTP, or an image with a health check")
	}
	if err := session.Require([]executor.Capability{executor.CapExec}); err != nil {
		return nil, executor.Errorf(executor.CodeOf(err), "health check: %w; leave it out (--no-healthcheck does so with that of an image)", err)
	}
	resolved := h.Resolved()
	return (*store.HealthCheck)(&resolved), nil
}

// watchHealth begins to probe an attempt that runs, if its container has a health check.
func (m *Manager) watchHealth(c *store.Container) {
	if c.HealthCheck == nil || c.State != store.Running && c.State != store.Paused {
		return
	}
	t := health.Target{
		Ref: c.Ref(), Check: api.HealthCheck(*c.HealthCheck), StartedAt: c.StartedAt,
		Process: health.ProcessOf(c.PID), State: health.State{Status: api.HealthStarting},
	}
	if h := c.Health; h != nil {
		t.State = health.State{Status: api.HealthStatus(h.Status), FailingStreak: h.FailingStreak, Log: []api.HealthResult{api.HealthResult(h.Result)}}
	}
	m.health.Watch(t)
}

// probe makes a probe of an attempt.
func (m *Manager) probe(ctx context.Context, t health.Target) (r api.HealthResult, err error) {
	if err := m.toProbe(t.Ref); err != nil {
		return r, err
	}
	switch check := &t.Check; {
	case t.Process.PID == 0 && len(check.Command) == 0:
		now := time.Now().UTC()
		r = api.HealthResult{Start: now, End: now, ExitCode: health.Aborted, Output: "its backend names no process of it, so its network cannot be entered; use a command"}
	case check.TCP != "":
		r, err = health.TCP(ctx, t.Process, check.TCP, check.Timeout)
	case check.HTTP != "":
		r, err = health.HTTP(ctx, t.Process, check.HTTP, check.Timeout)
	default:
		r, err = m.probeCommand(ctx, t)
	}
	if err == nil {
		err = m.toProbe(t.Ref) // that it was paused or stopped meanwhile may be why it failed
	}
	return r, err
}

// toProbe returns an error unless an attempt is to be probed now.
func (m *Manager) toProbe(ref executor.Ref) error {
	c, err := m.record(ref.ID)
	switch {
	case errors.Is(err, executor.NotFound):
		return health.ErrOver
	case err != nil:
		return health.ErrUnknown
	case c.Attempt != ref.Attempt, ended(c), c.State == store.Exited:
		return health.ErrOver
	case c.State != store.Running, c.Desired != store.WantRunning, c.Again, m.isDraining():
		return health.ErrUnknown
	}
	return nil
}

// recordHealth records that the health of an attempt has changed.
func (m *Manager) recordHealth(ctx context.Context, ref executor.Ref, s health.State) error {
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(ref.ID)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil || c.Attempt != ref.Attempt || ended(c) || c.State == store.Exited {
			return err
		}
		c.Health = &store.Health{Status: string(s.Status), FailingStreak: s.FailingStreak, Result: store.HealthResult(s.Log[len(s.Log)-1])}
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		return appendEvent(tx, api.EventHealthStatus, c, map[string]string{"status": string(s.Status)})
	})
	if err != nil && m.ctx.Err() == nil {
		m.logger.Warn("the health of a container is not recorded yet", "container", ref.ID, "status", string(s.Status), "error", err)
	}
	return err
}

// viewHealth returns what users see of the health of a container's present attempt, with all
// of its log; nil if it does not run or is not checked.
func (m *Manager) viewHealth(c *store.Container) *api.Health {
	if c.HealthCheck == nil || ended(c) {
		return nil
	}
	v := &api.Health{Status: api.HealthStarting}
	if h := c.Health; h != nil {
		v = &api.Health{Status: api.HealthStatus(h.Status), FailingStreak: h.FailingStreak, Log: []api.HealthResult{api.HealthResult(h.Result)}}
	}
	if s, watched := m.health.State(c.Ref()); watched {
		v.FailingStreak, v.Log = s.FailingStreak, s.Log
	}
	return v
}

// waitHealthy waits until a container is healthy. It waits for its start, too, and for
// further attempts that its restart policy makes.
func (m *Manager) waitHealthy(ctx context.Context, id string) error {
	for {
		changed := m.store.Changed()
		c, err := m.record(id)
		switch {
		case err != nil:
			return err
		case c.HealthCheck == nil:
			return executor.Errorf(executor.FailedPrecondition, "container %s has no health check", id)
		case ended(c) && c.State != store.Created && c.RestartAt.IsZero():
			return executor.Errorf(executor.FailedPrecondition, "container %s does not run, and is not started again by itself, so it does not become healthy", id)
		case !ended(c) && c.Health != nil && c.Health.Status == string(api.HealthHealthy):
			return nil
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return err
		}
	}
}
