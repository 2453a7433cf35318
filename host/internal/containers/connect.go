package containers

import (
	"context"
	"maps"
	"net/netip"
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
func (m *Manager) DisconnectNetwork(ctx context.Context, network, reference string) error {
	c, err := m.record(reference)
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
	if len(c.Leases) > 0 && before[0] != c.Leases[0] {
		m.moveOwnName(c, before[0])
	}
	m.syncHosts(append([]store.Lease{lease}, c.Leases...))
	return err
}

// moveOwnName has a container find itself at its first address, since it has not the one any
// more that it had when its /etc/hosts was made.
func (m *Manager) moveOwnName(c *store.Container, gone store.Lease) {
	unlock, err := m.hosts.Lock(m.ctx, "")
	if err != nil {
		return
	}
	defer unlock()
	var ids []string
	err = m.store.View(func(tx *store.Tx) (err error) {
		ids, err = tx.Sharers(c.NetNS())
		return err
	})
	now := c.Leases[0]
	text := func(a netip.Addr) string {
		if a.IsValid() {
			return a.String()
		}
		return ""
	}
	for _, id := range ids {
		path := filepath.Join(m.etcDir(id), "hosts")
		if err == nil && gone.Address.IsValid() {
			err = hostsfile.Move(path, gone.Address.String(), text(now.Address))
		}
		if err == nil && gone.Address6.IsValid() {
			err = hostsfile.Move(path, gone.Address6.String(), text(now.Address6))
		}
	}
	if err != nil {
		m.logger.Warn("a container has its own name at an address that it has not any more", "container", c.ID, "address", gone.Address.String(), "error", err)
	}
}
