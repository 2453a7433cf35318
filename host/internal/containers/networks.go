package containers

import (
	"context"
	"encoding/json"
	"os"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/networks"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
)

// useNetwork checks the network of a container that is being made, and puts the name of the
// network and its namespace into opts. It returns the leases that the container is to have, or
// the id of the one whose network namespace it joins. A bundle says itself what is not asked
// for. Who publishes ports has an address.
func (m *Manager) useNetwork(ctx context.Context, id string, opts *api.ContainerOptions, byDefault string) (leases []store.Lease, joined string, err error) {
	given := opts.Network
	if given == "" && opts.Bundle == "" {
		opts.Network = byDefault
	}
	if len(opts.Publish) > 0 {
		switch {
		case opts.Network == "", given == "" && opts.Network == ocispec.NetworkNone:
			opts.Network = api.DefaultNetwork
		case opts.Network == ocispec.NetworkHost:
			return nil, "", executor.Errorf(executor.Invalid, "ports are published, and with network %s all ports of the container are the machine's; leave out one of them", opts.Network)
		case opts.Network == ocispec.NetworkNone:
			return nil, "", executor.Errorf(executor.Invalid, "ports are published, and with network %s nothing reaches the container; leave out one of them", opts.Network)
		}
	}
	if joined, err = m.joinNetwork(opts); err == nil && joined == "" {
		leases, err = m.networks.Check(ctx, opts.Network, opts.IP, opts.IP6)
		if err == nil {
			err = m.networks.CheckMAC(opts.Network, opts.MACAddress, leases)
		}
	}
	opts.Process.Network = m.networks.Namespace(opts.Network, id)
	return leases, joined, err
}

// joinNetwork finds the container whose network is asked for, and puts its host name into opts.
// It returns the id after which the network namespace is named, or "" if no other container's
// is asked for.
func (m *Manager) joinNetwork(opts *api.ContainerOptions) (string, error) {
	network, other, err := m.networks.Join(opts.Network, opts.Name)
	if err != nil || other == nil {
		return "", err
	}
	opts.Network = network
	if opts.Rootfs != "" && opts.Process.UTS != ocispec.NamespaceHost {
		opts.Process.Hostname, err = m.hostname(other.ID)
	}
	return other.NetNS(), err
}

// hostname returns the host name of a container.
func (m *Manager) hostname(id string) (string, error) {
	var read struct {
		Hostname string `json:"hostname"`
	}
	err := m.store.View(func(tx *store.Tx) error {
		spec, err := tx.Spec(id)
		if err == nil {
			err = json.Unmarshal(spec, &read)
		}
		return err
	})
	if err == nil && read.Hostname == "" { // the machine's own
		read.Hostname, err = os.Hostname()
	}
	return read.Hostname, err
}

// addresses returns what users see of the leases of a container.
func addresses(c *store.Container) (all []api.Address) {
	for _, l := range c.Leases {
		all = append(all, api.Address{Network: l.Network, IP: l.Address, IP6: l.Address6, MAC: networks.HardwareAddress(l).String(), Aliases: aliasesOn(c, l.Network)})
	}
	return all
}

// networkData returns the data of the event of a container that has addresses.
func networkData(c *store.Container) map[string]string {
	switch {
	case c.Joined != "":
		return map[string]string{"network": c.Network}
	case len(c.Leases) == 0:
		return nil
	}
	var ips, ips6 []string
	for _, l := range c.Leases {
		ips = append(ips, l.Address.String())
		if l.Address6.IsValid() {
			ips6 = append(ips6, l.Address6.String())
		}
	}
	data := map[string]string{"network": c.Network, "address": strings.Join(ips, ",")}
	if len(ips6) > 0 {
		data["address6"] = strings.Join(ips6, ",")
	}
	if len(c.Ports) > 0 {
		data["ports"] = publish.Format(c.Ports)
	}
	return data
}
