package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// Create makes a network; see the method of host.Host.
func (m *Manager) Create(ctx context.Context, opts api.NetworkOptions) (api.Network, error) {
	if !m.enabled {
		return api.Network{}, errOff()
	}
	if err := ocispec.ValidateNetworkName(opts.Name); err != nil {
		return api.Network{}, err
	}
	subnet, gateway, err := parseSubnet(opts)
	if err != nil {
		return api.Network{}, err
	}
	if err := checkMTU(opts.MTU); err != nil {
		return api.Network{}, err
	}
	subnet6, gateway6, err := parseSubnet6(opts)
	if err != nil {
		return api.Network{}, err
	}
	ipv6, err := m.wants6(opts)
	if err != nil {
		return api.Network{}, err
	}
	m.changes.Lock()
	defer m.changes.Unlock()
	n := &store.Network{
		MTU: opts.MTU, Name: opts.Name, Labels: opts.Labels, Subnet: subnet, Gateway: gateway, Subnet6: subnet6, Gateway6: gateway6,
		Internal: opts.Internal, CreatedAt: time.Now(),
	}
	if err := m.make(ctx, n, ipv6); err != nil {
		return api.Network{}, err
	}
	return m.Inspect(n.Name)
}

// make records a network, with IPv6 or without, and makes its bridge. If it fails, nothing is
// left. The caller has changes.
func (m *Manager) make(ctx context.Context, n *store.Network, ipv6 bool) error {
	machine, err := m.machineSubnets()
	if err != nil {
		return explain("routes of this machine", err)
	}
	if n.MTU == 0 {
		if n.MTU, err = machineMTU(); err != nil {
			return explain("links of this machine", err)
		}
	}
	ctx = context.WithoutCancel(ctx)
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Network(n.Name); !errors.Is(err, executor.NotFound) {
			if err == nil {
				err = executor.Errorf(executor.AlreadyExists, "network %s exists", n.Name)
			}
			return err
		}
		all, err := tx.Networks()
		if err != nil {
			return err
		}
		used := append(storedSubnets(all), machine...)
		if !n.Subnet.IsValid() {
			if n.Subnet, err = m.freeSubnet(used); err != nil {
				return err
			}
			n.Gateway = n.Subnet.Addr().Next()
		} else if why := overlap(n.Subnet, used); why != "" {
			return executor.Errorf(executor.Invalid, "subnet %s overlaps with %s; choose another one", n.Subnet, why)
		}
		if !ipv6 {
			n.Subnet6, n.Gateway6 = netip.Prefix{}, netip.Addr{}
		} else if !n.Subnet6.IsValid() {
			if n.Subnet6, err = m.freeSubnet6(used); err != nil {
				return err
			}
			n.Gateway6 = n.Subnet6.Addr().Next()
		} else if why := overlap(n.Subnet6, used); why != "" {
			return executor.Errorf(executor.Invalid, "subnet %s overlaps with %s; choose another one", n.Subnet6, why)
		}
		n.Bridge = m.freeBridge(all)
		if err := tx.PutNetwork(n); err != nil {
			return err
		}
		return appendEvent(tx, api.EventNetworkCreated, n)
	})
	if err != nil {
		return err
	}
	m.keepCopy()
	if err := m.declare(n); err != nil {
		return errors.Join(explain("network "+n.Name, err), m.drop(ctx, n.Name))
	}
	return nil
}

// freeBridge returns a name that no network's bridge has.
func (m *Manager) freeBridge(all []*store.Network) string {
	for i := 0; ; i++ {
		name := fmt.Sprint(m.bridges, i)
		if !slices.ContainsFunc(all, func(n *store.Network) bool { return n.Bridge == name }) {
			return name
		}
	}
}

// ensureDefault makes the network default if there is none.
func (m *Manager) ensureDefault(ctx context.Context) error {
	m.changes.Lock()
	defer m.changes.Unlock()
	err := m.store.View(func(tx *store.Tx) error {
		_, err := tx.Network(api.DefaultNetwork)
		return err
	})
	if !errors.Is(err, executor.NotFound) {
		return err
	}
	ipv6, err := m.wants6(api.NetworkOptions{Name: api.DefaultNetwork})
	if err != nil {
		return err
	}
	return m.make(ctx, &store.Network{Name: api.DefaultNetwork, CreatedAt: time.Now()}, ipv6)
}

// Remove removes a network; see the method of host.Host.
func (m *Manager) Remove(ctx context.Context, name string) error {
	m.changes.Lock()
	defer m.changes.Unlock()
	return m.drop(context.WithoutCancel(ctx), name)
}

// drop removes the record of a network that no container has, its bridge and its rules. The
// caller has changes.
func (m *Manager) drop(ctx context.Context, name string) error {
	var n *store.Network
	err := m.store.Update(ctx, func(tx *store.Tx) (err error) {
		if n, err = tx.Network(name); err != nil {
			return err
		}
		owners, err := tx.Leases(name)
		if err != nil {
			return err
		}
		if len(owners) > 0 {
			return executor.Errorf(executor.FailedPrecondition, "network %s is used by %s; remove that first", name, membersOf(tx, owners))
		}
		if err := tx.RemoveNetwork(name); err != nil {
			return err
		}
		return appendEvent(tx, api.EventNetworkRemoved, n)
	})
	if err != nil || !m.enabled {
		return err
	}
	m.keepCopy()
	m.mu.Lock()
	delete(m.last, sequence{name, false})
	delete(m.last, sequence{name, true})
	m.mu.Unlock()
	if err := errors.Join(removeBridge(n.Bridge), m.declareRules()); err != nil {
		m.logger.Warn("what is left of a network was not removed; the next host tries it again", "network", name, "error", err)
	}
	return nil
}

// membersOf returns how a message calls the containers of a network.
func membersOf(tx *store.Tx, owners map[netip.Addr]string) string {
	const most = 5
	members := members(tx, owners)
	names := make([]string, 0, most)
	for _, c := range members[:min(most, len(members))] {
		name := c.ID
		if c.Name != "" {
			name = c.Name
		}
		names = append(names, name)
	}
	text := strings.Join(names, ", ")
	switch {
	case len(members) == 1:
		return "container " + text
	case len(members) > most:
		return fmt.Sprintf("containers %s and %d more", text, len(members)-most)
	}
	return "containers " + text
}

// Prune removes the networks that no container has; see the method of host.Host.
func (m *Manager) Prune(ctx context.Context, opts api.PruneNetworksOptions) ([]api.Network, error) {
	all, err := m.List()
	if err != nil {
		return nil, err
	}
	pruned := []api.Network{}
	for _, n := range all {
		if len(n.Containers) > 0 {
			continue
		}
		if !opts.DryRun {
			err := m.Remove(ctx, n.Name)
			if errors.Is(err, executor.FailedPrecondition) || errors.Is(err, executor.NotFound) {
				continue // somebody was faster
			}
			if err != nil {
				return pruned, err
			}
		}
		pruned = append(pruned, n)
	}
	return pruned, nil
}

func appendEvent(tx *store.Tx, typ string, n *store.Network) error {
	data := map[string]string{"network": n.Name, "subnet": n.Subnet.String(), "bridge": n.Bridge}
	if n.Subnet6.IsValid() {
		data["subnet6"] = n.Subnet6.String()
	}
	_, err := tx.Append(store.Event{Type: typ, Data: data})
	return err
}
