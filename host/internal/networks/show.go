package networks

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// List returns all networks, by name.
func (m *Manager) List() ([]api.Network, error) {
	list := []api.Network{}
	err := m.store.View(func(tx *store.Tx) error {
		all, err := tx.Networks()
		if err != nil {
			return err
		}
		for _, n := range all {
			shown, err := show(tx, n)
			if err != nil {
				return err
			}
			list = append(list, shown)
		}
		return nil
	})
	return list, err
}

// Inspect returns a network.
func (m *Manager) Inspect(name string) (shown api.Network, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		n, err := tx.Network(name)
		if err == nil {
			shown, err = show(tx, n)
		}
		return err
	})
	return shown, err
}

// show returns what users see of a network.
func show(tx *store.Tx, n *store.Network) (api.Network, error) {
	owners, err := tx.Leases(n.Name)
	return api.Network{
		Name: n.Name, Labels: n.Labels, Subnet: n.Subnet, Gateway: n.Gateway, Subnet6: n.Subnet6, Gateway6: n.Gateway6, Internal: n.Internal,
		Bridge: n.Bridge, MTU: n.MTU, CreatedAt: n.CreatedAt, Containers: members(tx, owners),
	}, err
}

// members returns the containers that have leases, by address.
func members(tx *store.Tx, owners map[netip.Addr]string) []api.NetworkMember {
	list := []api.NetworkMember{}
	known := map[string]int{} // where they are in list
	// Addresses of IPv4 come first.
	for _, address := range slices.SortedFunc(maps.Keys(owners), netip.Addr.Compare) {
		id := owners[address]
		i, has := known[id]
		if !has {
			i, known[id] = len(list), len(list)
			list = append(list, api.NetworkMember{ID: id})
			if c, err := tx.Container(id); err == nil {
				list[i].Name = c.Name
			}
		}
		if address.Is6() {
			list[i].Address6 = address
		} else {
			list[i].Address = address
		}
	}
	return list
}

// Gateway returns the machine's address on the first network of a container.
func (m *Manager) Gateway(c *store.Container) (a netip.Addr, err error) {
	if len(c.Leases) == 0 {
		return a, executor.Errorf(executor.FailedPrecondition, "container %s has no network on which this machine has an address", c.ID)
	}
	err = m.store.View(func(tx *store.Tx) error {
		n, err := tx.Network(c.Leases[0].Network)
		a = n.Gateway
		return err
	})
	return a, err
}
