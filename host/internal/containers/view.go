package containers

import (
	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// ended reports whether there is no attempt that is not over.
func ended(c *store.Container) bool { return c.Ended() }

// undone reports whether the start of the present attempt failed and is being undone: that
// what was made of it ends is no end of the container's own.
func undone(c *store.Container) bool { return c.State == store.Creating && c.GivenUp != "" }

// view returns what users see of a record.
func (m *Manager) view(tx *store.Tx, r *store.Container) api.Container {
	c := api.Container{
		ID: r.ID, Name: r.Name, Backend: r.Backend, Runtime: r.Runtime.Name, Command: r.Command,
		Attempt: r.Attempt, PID: r.PID,
		CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
		Error: r.Error, AutoRemove: r.AutoRemove, Labels: r.Labels, Owner: r.Owner, OutputLost: r.Lost,
		Stdin: r.Stdio.Stdin, Terminal: r.Stdio.Terminal,
		Network: r.Network, Addresses: addresses(r), NetworkAliases: r.Names.Aliases, Publish: r.Publish, Ports: boundPorts(r),
		PIDMode: r.PIDMode, IPCMode: r.IPCMode,
		Restart: r.Restart.Name, Restarts: r.Restarts, RestartAt: r.RestartAt,
		HealthCheck:  (*api.HealthCheck)(r.HealthCheck),
		RestoredFrom: r.From, Checkpointed: r.Checkpointed,
	}
	if h := m.viewHealth(r); h != nil {
		c.Health = &api.Health{Status: h.Status, FailingStreak: h.FailingStreak}
	}
	if r.Image != nil {
		c.Image, c.ImageID, c.ImageStore = r.Image.Name, r.Image.ID, r.Image.Store
	}
	for _, v := range r.Volumes {
		c.Volumes = append(c.Volumes, api.MountedVolume{Name: v.Name, Source: m.volumes.Path(v.Name), Target: v.Target, ReadOnly: v.ReadOnly, Anonymous: v.Anonymous})
	}
	switch r.State {
	case store.Created:
		c.State = api.StateCreated
	case store.Creating:
		c.State = api.StateCreating
	case store.Running:
		c.State = api.StateRunning
	case store.Paused:
		c.State = api.StatePaused
	case store.Exited:
		c.State, c.PID = api.StateExiting, 0
	case store.Failed:
		c.State, c.PID = api.StateFailed, 0
	case store.Released:
		c.State, c.PID = api.StateExited, 0
		if exit, err := tx.Exit(r.Ref()); err == nil {
			c.Exit = viewEnd(exit)
		}
	}
	unwatched := m.backends.Unwatched(r.Backend)
	switch {
	case !ended(r) && unwatched != "":
		c.State, c.PID, c.Error = api.StateUnknown, 0, unwatched
	case ended(r) && unwatched == "" && !r.RestartAt.IsZero():
		c.State = api.StateRestarting
	}
	return c
}

func viewEnd(e *store.Exit) *api.End {
	return &api.End{Exit: e.Exit, Attempt: e.Ref.Attempt, Output: e.Output}
}
