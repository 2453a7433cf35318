package networks

import (
	"cmp"
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
// mode is none, host, user, the name of a network, or empty if the container's spec decides; ip
// and ip6 are addresses of the two families, or empty for any. See [Manager.Join] for the network
// of another container.
func (m *Manager) Check(ctx context.Context, mode, ip, ip6 string) ([]store.Lease, error) {
	wish := store.Lease{Network: mode}
	var err error
	if asked := cmp.Or(ip, ip6); mode == ocispec.NetworkUser && asked != "" {
		return nil, executor.Errorf(executor.Invalid, "an address (%s) is given, and all containers with network user have the same one; leave it out", asked)
	}
	if wish.Address, err = wished(mode, ip, false); err != nil {
		return nil, err
	}
	if wish.Address6, err = wished(mode, ip6, true); err != nil {
		return nil, err
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
	var d driver
	err = m.store.View(func(tx *store.Tx) (err error) {
		d, err = m.driverOf(tx, mode)
		return err
	})
	if err == nil {
		err = d.check(ctx, wish)
	}
	return []store.Lease{wish}, err
}

// wished parses an address of a family that is asked for on a network, which may be empty.
func wished(mode, text string, six bool) (a netip.Addr, err error) {
	if text == "" {
		return a, nil
	}
	example, other := "10.1.2.3", "--ip6"
	if six {
		example, other = "fd12:3456:789a:1::2", "--ip"
	}
	a, err = netip.ParseAddr(text)
	switch {
	case err != nil || a.Is4In6() || a.Zone() != "":
		return a, executor.Errorf(executor.Invalid, "%q is not an address such as %s", text, example)
	case a.Is6() != six:
		return a, executor.Errorf(executor.Invalid, "address %s is not one such as %s; it is asked for by %s", a, example, other)
	case !named(mode):
		return a, executor.Errorf(executor.Invalid, "an address (%s) is given, and no network; give --network NAME too", text)
	}
	return a, nil
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
		d, err := m.driverOf(tx, wish.Network)
		if err != nil {
			return err
		}
		if c.Leases[i], err = d.lease(tx, wish); err != nil {
			return err
		}
	}
	return nil
}

// pick returns a lease with addresses that are free, or those that are asked for if they are.
func (m *Manager) pick(tx *store.Tx, wish store.Lease) (store.Lease, error) {
	n, err := tx.Network(wish.Network)
	if errors.Is(err, executor.NotFound) {
		return wish, m.unknown(tx, wish.Network)
	}
	if err != nil {
		return wish, err
	}
	owners, err := tx.Leases(n.Name)
	if err != nil {
		return wish, err
	}
	if wish.Address, err = m.pickOf(tx, n.Name, pool{n.Subnet, n.Gateway, owners}, wish.Address); err != nil {
		return wish, err
	}
	switch {
	case n.Subnet6.IsValid():
		wish.Address6, err = m.pickOf(tx, n.Name, pool{n.Subnet6, n.Gateway6, owners}, wish.Address6)
	case wish.Address6.IsValid():
		err = executor.Errorf(executor.Invalid, "address %s is asked for, and network %s has no IPv6; davit network create --ipv6 makes one that has", wish.Address6, n.Name)
	}
	return wish, err
}

// A pool has the addresses of one family that a network's containers can have.
type pool struct {
	subnet  netip.Prefix
	gateway netip.Addr
	owners  map[netip.Addr]string // of both families
}

// pickOf returns an address that is free, or the one that is asked for if that is.
func (m *Manager) pickOf(tx *store.Tx, network string, p pool, ip netip.Addr) (netip.Addr, error) {
	if !ip.IsValid() {
		return m.free(network, p)
	}
	switch owner, has := p.owners[ip]; {
	case !usable(p.subnet, ip):
		return ip, executor.Errorf(executor.Invalid, "address %s is none for a container on network %s; choose another one of %s", ip, network, p.subnet)
	case ip == p.gateway:
		return ip, executor.Errorf(executor.Invalid, "address %s is the gateway of network %s; choose another one", ip, network)
	case has:
		return ip, executor.Errorf(executor.AlreadyExists, "address %s is that of %s; choose another one, or remove that container", ip, membersOf(tx, map[netip.Addr]string{ip: owner}))
	}
	return ip, nil
}

// free returns the first free address after the last that was leased.
func (m *Manager) free(network string, p pool) (netip.Addr, error) {
	m.mu.Lock()
	last := m.last[sequence{network, p.gateway.Is6()}]
	m.mu.Unlock()
	if !last.IsValid() { // the host is new: go on after the highest
		last = p.subnet.Addr()
		for a := range p.owners {
			if last.Less(a) && p.subnet.Contains(a) {
				last = a
			}
		}
	}
	begin := last
	for a := begin.Next(); ; a = a.Next() {
		if !usable(p.subnet, a) {
			a = p.subnet.Addr()
		}
		if _, has := p.owners[a]; !has && a != p.gateway && usable(p.subnet, a) {
			return a, nil
		}
		if a == begin {
			return netip.Addr{}, executor.Errorf(executor.FailedPrecondition, "no address is free on network %s: its containers have all of %s; remove some, or use another network", network, p.subnet)
		}
	}
}

// A sequence is that of the addresses of a family that a network leases.
type sequence struct {
	network string
	six     bool
}

// setLast notes the addresses of a lease as the last ones that were leased.
func (m *Manager) setLast(l store.Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[sequence{l.Network, false}] = l.Address
	if l.Address6.IsValid() {
		m.last[sequence{l.Network, true}] = l.Address6
	}
}

// unknown returns the error for a network that there is not.
func (m *Manager) unknown(tx *store.Tx, name string) error {
	var all []api.Network
	for _, d := range m.drivers {
		more, err := d.list(tx)
		if err != nil {
			return err
		}
		all = append(all, more...)
	}
	names := []string{ocispec.NetworkNone, ocispec.NetworkHost, ocispec.NetworkUser}
	if !slices.ContainsFunc(all, func(n api.Network) bool { return n.Name == api.DefaultNetwork }) {
		names = append(names, api.DefaultNetwork)
	}
	for _, n := range all {
		names = append(names, n.Name)
	}
	slices.Sort(names[3:])
	const most = 10
	more := ""
	if len(names) > most {
		names, more = names[:most], ", …"
	}
	return executor.Errorf(executor.NotFound, "no network %q; there are %s%s; davit network create makes one", name, strings.Join(names, ", "), more)
}
