package containers

import (
	"context"
	"errors"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
)

// reservePorts binds the ports of a container that is being made, except those that were bound
// before, and returns all of them. One that is not to be started yet has none.
func (m *Manager) reservePorts(ctx context.Context, id string, opts *api.ContainerOptions, bound []publish.Port) ([]publish.Port, error) {
	if opts.NoStart {
		return nil, nil
	}
	more, err := m.ports.Reserve(ctx, id, opts.Publish[len(bound):])
	return append(bound, more...), err
}

// freePorts frees the ports of a container that is not made.
func (m *Manager) freePorts(id string) {
	if err := m.ports.End(context.WithoutCancel(m.ctx), id, nil); err != nil {
		m.logger.Warn("the ports of a container that is not made are not free", "container", id, "error", err)
	}
}

// boundPorts returns the ports on which a container can be reached.
func boundPorts(c *store.Container) []publish.Port {
	if !c.Publishes() {
		return nil
	}
	return c.Ports
}

// wantPorts returns what a container publishes.
func (m *Manager) wantPorts(c *store.Container) ports.Want {
	return ports.Want{
		ID: c.ID, Asked: c.Publish, Bound: c.Ports, Target: c.Leases[0].Address, Target6: c.Leases[0].Address6,
		Record: func(ctx context.Context, bound []publish.Port) error { return m.recordPorts(ctx, c.ID, bound) },
	}
}

// recordPorts records which ports were bound for a container.
func (m *Manager) recordPorts(ctx context.Context, id string, bound []publish.Port) error {
	return m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil || slices.Equal(c.Ports, bound) {
			return err
		}
		c.Ports = bound
		return tx.PutContainer(c)
	})
}

// holdPorts sees to it that the ports of a container that is about to be started are open.
// started means that it may run already: then what is wrong with its ports is no reason for it
// to fail, and they are opened as soon as they can be.
func (m *Manager) holdPorts(ctx context.Context, id string, started bool) error {
	c, err := m.record(id)
	if err != nil || !c.Publishes() {
		return err
	}
	switch {
	case started && len(c.Leases) > 0:
		m.ports.Keep(m.wantPorts(c))
		return nil
	case started:
		return nil
	case len(c.Leases) == 0:
		return executor.Errorf(executor.FailedPrecondition, "container %s publishes ports and has lost its address, with the state of the host; make it again", id)
	}
	return m.ports.Hold(ctx, m.wantPorts(c))
}

// settlePorts ends the holder of the ports of a container that has ended for good.
func (m *Manager) settlePorts(c *store.Container) {
	if len(c.Publish) == 0 {
		return
	}
	err := m.ports.End(context.WithoutCancel(m.ctx), c.ID, func() bool {
		now, err := m.record(c.ID)
		return err == nil && now.Publishes() || err != nil && !errors.Is(err, executor.NotFound)
	})
	if err != nil {
		m.logger.Error("the ports of a container that has ended are not free", "container", c.ID, "error", err)
	}
}

// keepPorts goes on with the ports of an earlier host: those of containers that run stay open
// or are opened again, and all others are freed.
func (m *Manager) keepPorts(ctx context.Context) {
	records, err := m.records()
	if err != nil {
		m.logger.Error("published ports of an earlier host were not looked for", "error", err)
		return
	}
	kept := map[string]bool{}
	for _, c := range records {
		if c.Publishes() && len(c.Leases) > 0 {
			kept[c.ID] = true
			m.ports.Keep(m.wantPorts(c))
		}
	}
	ids, err := m.ports.IDs()
	if err != nil {
		m.logger.Error("published ports of an earlier host were not looked for", "error", err)
	}
	for _, id := range ids {
		if kept[id] || m.store.Info().Incomplete() && !slices.ContainsFunc(records, func(c *store.Container) bool { return c.ID == id }) {
			continue
		}
		if err := m.ports.End(ctx, id, nil); err != nil {
			m.logger.Error("published ports of an earlier host are not free", "container", id, "error", err)
		}
	}
}
