package networks

import (
	"context"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// CheckConnect checks whether a container could be connected to a network, with addresses or
// any, and returns the lease that [Manager.Connect] completes.
func (m *Manager) CheckConnect(ctx context.Context, network, ip, ip6 string) (store.Lease, error) {
	if network == ocispec.NetworkNone || network == ocispec.NetworkHost || strings.HasPrefix(network, ocispec.NetworkContainer) {
		return store.Lease{}, executor.Errorf(executor.Invalid, "network %s is none that a container can be connected to later; it has it from when it is made, or never", network)
	}
	if err := ocispec.ValidateNetworkName(network); err != nil {
		return store.Lease{}, err
	}
	leases, err := m.Check(ctx, network, ip, ip6)
	if err != nil {
		return store.Lease{}, err
	}
	return leases[0], nil
}

// Connect gives a container the lease that it is to have in addition, in the transaction that
// records the change.
func (m *Manager) Connect(tx *store.Tx, c *store.Container, wish store.Lease) error {
	if err := changeable(c, "connected to another"); err != nil {
		return err
	}
	if slices.ContainsFunc(c.Leases, func(l store.Lease) bool { return l.Network == wish.Network }) {
		return executor.Errorf(executor.AlreadyExists, "container %s is on network %s", called(c), wish.Network)
	}
	var err error
	if wish.Link, err = freeLink(c); err != nil {
		return err
	}
	if wish, err = m.pick(tx, wish); err != nil {
		return err
	}
	m.setLast(wish)
	c.Leases, c.Unconnected = append(slices.Clone(c.Leases), wish), false
	return nil
}

// Disconnect takes the lease that a container has on a network, in the transaction that records
// the change. With its last one it keeps its network namespace, in which there is a loopback.
func (m *Manager) Disconnect(tx *store.Tx, c *store.Container, network string) error {
	if _, err := tx.Network(network); err != nil {
		return unknown(tx, network)
	}
	if err := changeable(c, "disconnected from its"); err != nil {
		return err
	}
	i := slices.IndexFunc(c.Leases, func(l store.Lease) bool { return l.Network == network })
	switch {
	case i < 0 && c.Unconnected:
		return executor.Errorf(executor.FailedPrecondition, "container %s is not on network %s; it was disconnected from all", called(c), network)
	case i < 0:
		return executor.Errorf(executor.FailedPrecondition, "container %s is not on network %s; it is on %s", called(c), network, strings.Join(networksOf(c), ", "))
	}
	c.Leases = slices.Delete(slices.Clone(c.Leases), i, i+1)
	c.Unconnected = len(c.Leases) == 0
	return nil
}

// Apply makes the network namespace of a container what its record says after a change, if
// there is one; otherwise its next start does.
func (m *Manager) Apply(c *store.Container) error {
	return m.upIf(c, func() bool { return pinned(m.Path(c.NetNS())) })
}

// changeable checks that a container has a network namespace of which the host knows, and that
// no other has made.
func changeable(c *store.Container, what string) error {
	switch {
	case c.Joined != "":
		return executor.Errorf(executor.FailedPrecondition, "container %s has the network of container %s (network %s), and cannot be %s network alone", called(c), c.Joined, c.Network, what)
	case named(c.Network) && (len(c.Leases) > 0 || c.Unconnected):
		return nil
	case named(c.Network):
		return executor.Errorf(executor.FailedPrecondition, "container %s has lost its address, with the state of the host; make it again", called(c))
	case c.Network == "":
		return executor.Errorf(executor.FailedPrecondition, "container %s has the network of its bundle, and cannot be %s network; make it with --network and the name of one", called(c), what)
	}
	return executor.Errorf(executor.FailedPrecondition, "container %s has network %s, and cannot be %s network; make it with --network and the name of one", called(c), c.Network, what)
}

// freeLink returns the number of a link that a container has not, and that nothing is left of.
func freeLink(c *store.Container) (int, error) {
	for number := range maxLinks {
		if slices.ContainsFunc(c.Leases, func(l store.Lease) bool { return l.Link == number }) {
			continue
		}
		link, err := find(outsideName(c.NetNS(), number))
		if err != nil {
			return 0, explain("links of this machine", err)
		}
		if link == nil {
			return number, nil
		}
	}
	return 0, executor.Errorf(executor.FailedPrecondition, "container %s is on %d networks, and cannot be on more", called(c), len(c.Leases))
}

// networksOf returns the names of the networks of a container.
func networksOf(c *store.Container) (names []string) {
	for _, l := range c.Leases {
		names = append(names, l.Network)
	}
	return names
}

// called returns how messages call a container.
func called(c *store.Container) string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}
