package containers

import (
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/hostsfile"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// hostGateway stands for the machine's address on a container's network, as in docker.
const hostGateway = "host-gateway"

// namesFor checks and returns how a container resolves names that is being made with leases.
func namesFor(opts api.ContainerOptions, leases []store.Lease) (n store.Names, err error) {
	invalid := func(format string, args ...any) (store.Names, error) {
		return n, executor.Errorf(executor.Invalid, format, args...)
	}
	if opts.Bundle != "" && len(opts.AddHosts)+len(opts.DNS)+len(opts.DNSSearch) > 0 {
		return invalid("hosts or name servers are given, and a bundle, whose root file system alone has them; write them there")
	}
	for _, alias := range opts.NetworkAliases {
		if err := ocispec.ValidateHostname(alias); err != nil {
			return n, err
		}
	}
	if len(opts.NetworkAliases) > 0 && len(leases) == 0 {
		return invalid("an alias (%s) is given, and no network on which others could find it; give --network NAME too", opts.NetworkAliases[0])
	}
	for _, line := range opts.AddHosts {
		name, address, _ := strings.Cut(line, ":")
		if err := ocispec.ValidateHostname(name); err != nil {
			return n, err
		}
		if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err != nil && address != hostGateway {
			return invalid("host %q is not of the form NAME:ADDRESS, or NAME:%s", line, hostGateway)
		}
		if address == hostGateway && len(leases) == 0 {
			return invalid("host %q asks for this machine's address on a network, and no network is given; give --network NAME too", line)
		}
	}
	for _, server := range opts.DNS {
		if _, err := netip.ParseAddr(server); err != nil {
			return invalid("name server %q is not an address such as 10.1.2.3", server)
		}
	}
	for _, domain := range opts.DNSSearch {
		if err := ocispec.ValidateHostname(domain); domain != "." && err != nil {
			return n, err
		}
	}
	return store.Names{Aliases: opts.NetworkAliases, Hosts: opts.AddHosts, Servers: opts.DNS, Search: opts.DNSSearch}, nil
}

// syncHosts has the containers of networks find each other by their names, in their
// /etc/hosts. They do from the first start of a container until it is removed, as long as it
// has its address, so that no restart takes a name away. What is missing of that is logged:
// no container fails for it, and the next change on the network, or the next host, makes it
// good.
func (m *Manager) syncHosts(leases []store.Lease) {
	for _, l := range leases {
		if err := m.syncNetwork(l.Network); err != nil {
			m.logger.Warn("names of containers on a network are not up to date", "network", l.Network, "error", err)
		}
	}
}

// syncNetwork makes the files of all containers of a network say what the records do.
func (m *Manager) syncNetwork(network string) error {
	unlock, err := m.hosts.Lock(m.ctx, network)
	if err != nil {
		return nil // the next host does it
	}
	defer unlock()
	var lines []string
	var ids []string
	err = m.store.View(func(tx *store.Tx) error {
		owners, err := tx.Leases(network)
		for address, id := range owners {
			c, cerr := tx.Container(id)
			if cerr != nil {
				continue // it is damaged, and has no name that is known
			}
			sharers, serr := tx.Sharers(c.NetNS())
			ids, err = append(ids, sharers...), errors.Join(err, serr)
			lines = append(lines, hostsLine(c, address))
		}
		return err
	})
	slices.Sort(lines)
	for _, id := range ids {
		if serr := hostsfile.Sync(filepath.Join(m.etcDir(id), "hosts"), lines); serr != nil && err == nil {
			err = serr
		}
	}
	return err
}

// hostsLine returns the line by which others find a container.
func hostsLine(c *store.Container, address netip.Addr) string {
	names := append([]string{c.Name}, c.Names.Aliases...)
	names = append(names, c.ID)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	return address.String() + "\t" + strings.Join(names, " ")
}

// syncAllHosts does for all networks what an earlier host may have left undone.
func (m *Manager) syncAllHosts() {
	all, err := m.records()
	if err != nil {
		m.logger.Warn("names of containers on networks are not up to date", "error", err)
		return
	}
	seen := map[string]bool{}
	for _, c := range all {
		for _, l := range c.Leases {
			if !seen[l.Network] {
				seen[l.Network] = true
				m.syncHosts([]store.Lease{l})
			}
		}
	}
}
