package networks

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// Check checks the network that a container asks for, makes the network default if that is
// it, and returns the lease that the container is to have, which [Manager.Lease] completes.
// mode is none, host, user, the name of a network, or empty if the container's spec decides; ip is
// an address, or empty for any. See [Manager.Join] for the network of another container.
func (m *Manager) Check(ctx context.Context, mode, ip string) ([]store.Lease, error) {
	wish := store.Lease{Network: mode}
	if ip != "" {
		var err error
		wish.Address, err = netip.ParseAddr(ip)
		switch {
		case err != nil:
			return nil, executor.Errorf(executor.Invalid, "%q is not an address such as 10.1.2.3", ip)
		case mode == ocispec.NetworkUser:
			return nil, executor.Errorf(executor.Invalid, "an address (%s) is given, and all containers with network user have the same one; leave it out", ip)
		case !named(mode):
			return nil, executor.Errorf(executor.Invalid, "an address (%s) is given, and no network; give --network NAME too", ip)
		}
	}
	if mode == ocispec.NetworkUser {
		return nil, m.checkUser()
	}
	if !named(mode) && !strings.HasPrefix(mode, ocispec.NetworkContainer) {
		return nil, nil
	}
	if err := ocispec.ValidateNetworkName(mode); err != nil {
		return nil, err
	}
	if !m.enabled {
		return nil, errOff()
	}
	if mode == api.DefaultNetwork {
		if err := m.ensureDefault(ctx); err != nil {
			return nil, err
		}
	}
	return []store.Lease{wish}, m.store.View(func(tx *store.Tx) error {
		_, err := m.pick(tx, wish)
		return err
	})
}

// named reports whether a network is one that gives an address.
func named(mode string) bool {
	return !slices.Contains([]string{"", ocispec.NetworkNone, ocispec.NetworkHost, ocispec.NetworkUser}, mode) && !strings.HasPrefix(mode, ocispec.NetworkContainer)
}

// Namespace returns what the spec of a container has as its network namespace; see
// [ocispec.Options.Network].
func (m *Manager) Namespace(mode, id string) string {
	switch mode {
	case "":
		return ""
	case ocispec.NetworkNone:
		return ocispec.NamespacePrivate
	case ocispec.NetworkHost:
		return ocispec.NamespaceHost
	}
	if joined, ok := strings.CutPrefix(mode, ocispec.NetworkContainer); ok {
		id = joined
	}
	return m.Path(id)
}

// Lease completes the leases of a container, in the transaction that creates it.
func (m *Manager) Lease(tx *store.Tx, c *store.Container) error {
	if c.Joined != "" {
		_, err := tx.LeaseHolder(c.Joined)
		if errors.Is(err, executor.NotFound) {
			err = executor.Errorf(executor.NotFound, "container %s, whose network is asked for, has just been removed", c.Joined)
		}
		return err
	}
	for i, wish := range c.Leases {
		address, err := m.pick(tx, wish)
		if err != nil {
			return err
		}
		m.setLast(wish.Network, address)
		c.Leases[i].Address = address
	}
	return nil
}

// pick returns an address that is free, or the one that is asked for if that is.
func (m *Manager) pick(tx *store.Tx, wish store.Lease) (netip.Addr, error) {
	n, err := tx.Network(wish.Network)
	if errors.Is(err, executor.NotFound) {
		return netip.Addr{}, unknown(tx, wish.Network)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	owners, err := tx.Leases(n.Name)
	if err != nil {
		return netip.Addr{}, err
	}
	ip := wish.Address
	if !ip.IsValid() {
		return m.free(n, owners)
	}
	switch owner, has := owners[ip]; {
	case !usable(n.Subnet, ip):
		return ip, executor.Errorf(executor.Invalid, "address %s is none for a container on network %s; choose another one of %s", ip, n.Name, n.Subnet)
	case ip == n.Gateway:
		return ip, executor.Errorf(executor.Invalid, "address %s is the gateway of network %s; choose another one", ip, n.Name)
	case has:
		return ip, executor.Errorf(executor.AlreadyExists, "address %s is that of %s; choose another one, or remove that container", ip, membersOf(tx, map[netip.Addr]string{ip: owner}))
	}
	return ip, nil
}

// free returns the first free address after the last that was leased.
func (m *Manager) free(n *store.Network, owners map[netip.Addr]string) (netip.Addr, error) {
	m.mu.Lock()
	last := m.last[n.Name]
	m.mu.Unlock()
	if !last.IsValid() { // the host is new: go on after the highest
		last = n.Subnet.Addr()
		for a := range owners {
			if last.Less(a) {
				last = a
			}
		}
	}
	begin := last
	for a := begin.Next(); ; a = a.Next() {
		if !usable(n.Subnet, a) {
			a = n.Subnet.Addr()
		}
		if _, has := owners[a]; !has && a != n.Gateway && usable(n.Subnet, a) {
			return a, nil
		}
		if a == begin {
			return netip.Addr{}, executor.Errorf(executor.FailedPrecondition, "no address is free on network %s: its containers have all of %s; remove some, or use another network", n.Name, n.Subnet)
		}
	}
}

func (m *Manager) setLast(network string, a netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[network] = a
}

// unknown returns the error for a network that there is not.
func unknown(tx *store.Tx, name string) error {
	all, err := tx.Networks()
	if err != nil {
		return err
	}
	names := []string{ocispec.NetworkNone, ocispec.NetworkHost, ocispec.NetworkUser}
	if !slices.ContainsFunc(all, func(n *store.Network) bool { return n.Name == api.DefaultNetwork }) {
		names = append(names, api.DefaultNetwork)
	}
	for _, n := range all {
		names = append(names, n.Name)
	}
	const most = 10
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	return executor.Errorf(executor.NotFound, "no network %q; there are %s%s; davit network create makes one", name, strings.Join(names, ", "), more)
}
