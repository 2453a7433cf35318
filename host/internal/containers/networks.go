package containers

import (
	"context"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
)

// useNetwork checks the network of a container that is being made, and puts the name of the
// network and its namespace into opts. It returns the leases that the container is to have. A
// bundle says itself what is not asked for. Who publishes ports has an address.
func (m *Manager) useNetwork(ctx context.Context, id string, opts *api.ContainerOptions, byDefault string) ([]store.Lease, error) {
	given := opts.Network
	if given == "" && opts.Bundle == "" {
		opts.Network = byDefault
	}
	if len(opts.Publish) > 0 {
		switch {
		case opts.Network == "", given == "" && opts.Network == ocispec.NetworkNone:
			opts.Network = api.DefaultNetwork
		case opts.Network == ocispec.NetworkHost:
			return nil, executor.Errorf(executor.Invalid, "ports are published, and with network %s all ports of the container are the machine's; leave out one of them", opts.Network)
		case opts.Network == ocispec.NetworkNone:
			return nil, executor.Errorf(executor.Invalid, "ports are published, and with network %s nothing reaches the container; leave out one of them", opts.Network)
		}
	}
	leases, err := m.networks.Check(ctx, opts.Network, opts.IP)
	opts.Process.Network = m.networks.Namespace(opts.Network, id)
	return leases, err
}

// addresses returns what users see of the leases of a container.
func addresses(c *store.Container) (all []api.Address) {
	for _, l := range c.Leases {
		all = append(all, api.Address{Network: l.Network, IP: l.Address})
	}
	return all
}

// networkData returns the data of the event of a container that has addresses.
func networkData(c *store.Container) map[string]string {
	if len(c.Leases) == 0 {
		return nil
	}
	ips := make([]string, len(c.Leases))
	for i, l := range c.Leases {
		ips[i] = l.Address.String()
	}
	data := map[string]string{"network": c.Network, "address": strings.Join(ips, ",")}
	if len(c.Ports) > 0 {
		data["ports"] = publish.Format(c.Ports)
	}
	return data
}
