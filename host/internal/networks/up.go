package networks

import (
	"context"
	"fmt"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Up makes the network namespace of a container with its addresses, as far as it is missing,
// and takes away the links of networks that it is not on any more. It does nothing for a
// container without addresses.
func (m *Manager) Up(c *store.Container) error { return m.upIf(c, func() bool { return true }) }

// upIf does what Up does if ok returns true while nobody else makes or removes the namespace.
func (m *Manager) upIf(c *store.Container, ok func() bool) error {
	if c.Joined == "" && len(c.Leases) == 0 && !c.Unconnected {
		if named(c.Network) {
			return executor.Errorf(executor.FailedPrecondition, "container %s has lost its address on network %s, with the state of the host; make it again", c.ID, c.Network)
		}
		return nil
	}
	if !m.enabled {
		return errOff()
	}
	unlock, err := m.spaces.Lock(context.Background(), c.NetNS())
	if err != nil {
		return err
	}
	defer unlock()
	if !ok() {
		return nil
	}
	leases, err := m.Leases(c)
	if err != nil {
		return err
	}
	return explain("network of container "+c.ID, m.up(c.NetNS(), leases))
}

// up makes a network namespace with addresses.
func (m *Manager) up(id string, leases []store.Lease) error {
	networks := make([]*store.Network, len(leases))
	err := m.store.View(func(tx *store.Tx) (err error) {
		for i, l := range leases {
			if err == nil {
				networks[i], err = tx.Network(l.Network)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	path := m.Path(id)
	outside, outside6 := -1, -1 // the first that leads anywhere has the default route
	for i, n := range networks {
		if err := m.ensure(n); err != nil {
			return fmt.Errorf("network %s: %w", n.Name, err)
		}
		if outside < 0 && !n.Internal {
			outside = i
		}
		if outside6 < 0 && !n.Internal && leases[i].Address6.IsValid() {
			outside6 = i
		}
	}
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
	if err := space.leaveOthers(leases); err != nil {
		return err
	}
	for i, n := range networks {
		if err := space.connect(n, leases[i], i == outside, i == outside6); err != nil {
			return fmt.Errorf("network %s: %w", n.Name, err)
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
	var sharers []string
	err = m.store.View(func(tx *store.Tx) (err error) {
		sharers, err = tx.Sharers(id)
		return err
	})
	if err == nil && len(sharers) == 0 {
		err = unpin(m.Path(id))
	}
	return explain("network of container "+id, err)
}
