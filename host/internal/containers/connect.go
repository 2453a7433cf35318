package containers

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/hostsfile"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// ConnectNetwork gives a container an address on a network in addition, whether it runs or not.
// See the method of host.Host.
func (m *Manager) ConnectNetwork(ctx context.Context, network, reference string, opts api.ConnectOptions) error {
	for _, alias := range opts.Aliases {
		if err := ocispec.ValidateHostname(alias); err != nil {
			return err
		}
	}
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	wish, err := m.networks.CheckConnect(ctx, network, opts.IP, opts.IP6)
	if err != nil {
		return err
	}
	return m.changeNetworks(ctx, c.ID, api.EventConnected, func(tx *store.Tx, c *store.Container) (store.Lease, error) {
		if err := m.networks.Connect(tx, c, wish); err != nil {
			return store.Lease{}, err
		}
		c.Names.Later = maps.Clone(c.Names.Later)
		if c.Names.Later == nil {
			c.Names.Later = map[string][]string{}
		}
		c.Names.Later[network] = opts.Aliases
		return c.Leases[len(c.Leases)-1], nil
	})
}

// DisconnectNetwork takes the address that a container has on a network, whether it runs or
// not. See the method of host.Host.
func (m *Manager) DisconnectNetwork(ctx context.Context, network, reference string, opts api.DisconnectOptions) error {
	c, err := m.record(reference)
	absent := errors.Is(err, executor.NotFound) ||
		err == nil && !slices.ContainsFunc(c.Leases, func(l store.Lease) bool { return l.Network == network })
	if opts.Force && absent {
		_, err = m.networks.Inspect(network)
		return err
	}
	if err != nil {
		return err
	}
	return m.changeNetworks(ctx, c.ID, api.EventDisconnected, func(tx *store.Tx, c *store.Container) (store.Lease, error) {
		before := c.Leases
		if err := m.networks.Disconnect(tx, c, network); err != nil {
			return store.Lease{}, err
		}
		c.Names.Later = maps.Clone(c.Names.Later)
		delete(c.Names.Later, network)
		if network == c.Network {
			c.Names.Aliases = nil
		}
		return before[slices.IndexFunc(before, func(l store.Lease) bool { return l.Network == network })], nil
	})
}

// changeNetworks records a change of a container's leases, of which change returns the one that
// has come or gone, and then makes it. What is not made then, the next start makes, or the next
// host.
func (m *Manager) changeNetworks(ctx context.Context, id, event string, change func(*store.Tx, *store.Container) (store.Lease, error)) error {
	var c *store.Container
	var before []store.Lease
	var lease store.Lease
	err := m.store.Update(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.Container(id); err != nil {
			return err
		}
		if c.Desired == store.WantRemoved {
			return executor.Errorf(executor.FailedPrecondition, "container %s is being removed", id)
		}
		before = c.Leases
		if lease, err = change(tx, c); err != nil {
			return err
		}
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		data := map[string]string{"network": lease.Network, "address": lease.Address.String()}
		if lease.Address6.IsValid() {
			data["address6"] = lease.Address6.String()
		}
		return appendEvent(tx, event, c, data)
	})
	if err != nil {
		return err
	}
	m.keepCopy(id)
	if err = m.networks.Apply(c); err != nil {
		err = executor.Errorf(executor.CodeOf(err), "the change is recorded, and made when container %s or the host is started next: %w", id, err)
	}
	if first(before) != first(c.Leases) {
		m.moveOwnName(c, before)
		if len(c.Leases) == 0 {
			m.settlePorts(c)
		} else if perr := m.holdPorts(context.WithoutCancel(ctx), c.ID, false); perr != nil {
			err = errors.Join(err, executor.Errorf(executor.CodeOf(perr), "the change is made, and the published ports of container %s do not lead to its first address before its next start: %w", id, perr))
		}
	}
	if event == api.EventDisconnected {
		m.networks.Forget([]store.Lease{lease})
	}
	m.syncHosts(append([]store.Lease{lease}, c.Leases...))
	return err
}

// first returns the first of the leases of a container, by which it knows itself.
func first(leases []store.Lease) store.Lease {
	if len(leases) == 0 {
		return store.Lease{}
	}
	return leases[0]
}

// ownAddress returns the address that a container with leases has for its own name.
func ownAddress(leases []store.Lease) string {
	if len(leases) == 0 || !leases[0].Address.IsValid() {
		return noAddress
	}
	return leases[0].Address.String()
}

// ownAddress6 returns the address of IPv6 that a container with leases has for its own name, or "".
func ownAddress6(leases []store.Lease) string {
	if len(leases) == 0 || !leases[0].Address6.IsValid() {
		return ""
	}
	return leases[0].Address6.String()
}

// moveOwnName has a container find itself at its first address, since it has not the one any
// more that it had when its /etc/hosts was made. One that is on no network any more finds no
// others either.
func (m *Manager) moveOwnName(c *store.Container, before []store.Lease) {
	m.hosts.Lock()
	defer m.hosts.Unlock()
	var ids []string
	err := m.store.View(func(tx *store.Tx) (err error) {
		ids, err = tx.Sharers(c.NetNS())
		return err
	})
	from6 := ownAddress6(before)
	for _, id := range ids {
		path := filepath.Join(m.etcDir(id), "hosts")
		if err == nil {
			err = hostsfile.Move(path, ownAddress(before), ownAddress(c.Leases))
		}
		if err == nil && from6 != "" {
			err = hostsfile.Move(path, from6, ownAddress6(c.Leases))
		}
		if err == nil && len(c.Leases) == 0 {
			err = hostsfile.Sync(path, nil)
		}
	}
	if err != nil {
		m.logger.Warn("a container has its own name at an address that it has not any more", "container", c.ID, "address", ownAddress(before), "error", err)
	}
}
