package networks

import (
	"context"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Up makes the network namespace of a container with its addresses, as far as it is missing,
// and takes away the links of networks that it is not on any more. It does nothing for a
// container without addresses.
func (m *Manager) Up(ctx context.Context, c *store.Container) error {
	ctx, stop := m.lasting(ctx)
	defer stop()
	return m.upIf(ctx, c, m.drivers, func() bool { return true })
}

// upIf does what Up does, with some of the drivers, if ok returns true while nobody else makes
// or removes the namespace.
func (m *Manager) upIf(ctx context.Context, c *store.Container, drivers []driver, ok func() bool) error {
	if c.Joined == "" && len(c.Leases) == 0 && !c.Unconnected && !IsUser(c) && !c.Alone {
		if named(c.Network) {
			return executor.Errorf(executor.FailedPrecondition, "container %s has lost its address on network %s, with the state of the host; make it again", c.ID, c.Network)
		}
		return nil
	}
	if !m.enabled {
		return errOff()
	}
	unlock, err := m.spaces.Lock(ctx, c.NetNS())
	if err != nil {
		return err
	}
	defer unlock()
	if !ok() {
		return nil
	}
	switch {
	case c.Alone:
		return explain("loopback of container "+c.ID, m.upAlone(c))
	case IsUser(c):
		return explain("network user of container "+c.ID, m.upUser(c.ID))
	}
	leases, err := m.Leases(c)
	if err != nil {
		return err
	}
	m.awaitForgotten(leases)
	return explain("network of container "+c.ID, m.up(ctx, c.NetNS(), leases, drivers))
}

// up makes a network namespace with addresses.
func (m *Manager) up(ctx context.Context, id string, leases []store.Lease, drivers []driver) error {
	path := m.Path(id)
	if !pinned(path) {
		if err := pin(path); err != nil {
			return err
		}
	}
	space, err := enter(id, path)
	if err != nil {
		return err
	}
	defer space.close()
	for _, d := range drivers {
		if err := d.up(ctx, space, leases); err != nil {
			return err
		}
	}
	return nil
}

// Down removes a network namespace, which [store.Container.NetNS] names, unless a container
// that has it has a record. What is still in it keeps it.
func (m *Manager) Down(id string) error {
	if !m.enabled {
		return nil
	}
	unlock, err := m.spaces.Lock(context.Background(), id)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.user.End(context.Background(), id, nil); err != nil {
		return explain("network user of container "+id, err)
	}
	var sharers []string
	err = m.store.View(func(tx *store.Tx) (err error) {
		sharers, err = tx.Sharers(id)
		return err
	})
	if err == nil && len(sharers) == 0 {
		err = unpin(m.Path(id))
		m.plugins.runner.Forget(id)
	}
	return explain("network of container "+id, err)
}
