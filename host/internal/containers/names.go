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
// /etc/hosts, and by DNS. They do from the first start of a container until it is removed, as
// long as it has its address, so that no restart takes a name away. What is missing of that is
// logged: no container fails for it, and the next change on the network, or the next host,
// makes it good.
func (m *Manager) syncHosts(leases []store.Lease) {
	if len(leases) == 0 {
		return
	}
	m.syncResolver()
	for _, l := range leases {
		if err := m.syncNetwork(l.Network); err != nil {
			m.logger.Warn("names of containers on a network are not up to date", "network", l.Network, "error", err)
		}
	}
}

// syncNetwork makes the files of all containers of a network say what the records do.
func (m *Manager) syncNetwork(network string) error {
	// A container may be on more networks than one, of which each has names for its file.
	m.hosts.Lock()
	defer m.hosts.Unlock()
	files := map[string][]string{} // by the ids of containers, what is to be in them
	err := m.store.View(func(tx *store.Tx) error {
		lines, members, err := networkLines(tx, network)
		for _, c := range members {
			own := lines
			for _, l := range c.Leases {
				if l.Network != network {
					more, _, merr := networkLines(tx, l.Network)
					own, err = slices.Concat(own, more), errors.Join(err, merr)
				}
			}
			sharers, serr := tx.Sharers(c.NetNS())
			err = errors.Join(err, serr)
			for _, id := range sharers {
				files[id] = own
			}
		}
		return err
	})
	for id, lines := range files {
		if serr := hostsfile.Sync(filepath.Join(m.etcDir(id), "hosts"), lines); serr != nil && err == nil {
			err = serr
		}
	}
	return err
}

// networkLines returns the lines by which containers of a network find each other, and the
// containers.
func networkLines(tx *store.Tx, network string) (lines []string, members []*store.Container, err error) {
	owners, err := tx.Leases(network)
	for address, id := range owners {
		c, cerr := tx.Container(id)
		if cerr != nil {
			continue // it is damaged, and has no name that is known
		}
		if !slices.ContainsFunc(members, func(m *store.Container) bool { return m.ID == id }) { // it has one of each family
			members = append(members, c)
		}
		lines = append(lines, hostsLine(c, network, address))
	}
	slices.Sort(lines)
	return lines, members, err
}

// hostsLine returns the line by which others of a network find a container.
func hostsLine(c *store.Container, network string, address netip.Addr) string {
	names := append([]string{c.Name}, aliasesOn(c, network)...)
	names = append(names, api.ShortID(c.ID))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	return address.String() + "\t" + strings.Join(names, " ")
}

// aliasesOn returns the names that others of a network find a container by, beside its own.
func aliasesOn(c *store.Container, network string) []string {
	if later, ok := c.Names.Later[network]; ok || network != c.Network {
		return later
	}
	return c.Names.Aliases
}

// syncAllHosts does for all networks what an earlier host may have left undone.
func (m *Manager) syncAllHosts() {
	all, err := m.records()
	if err != nil {
		m.logger.Warn("names of containers on networks are not up to date", "error", err)
		return
	}
	seen := map[string]bool{}
	var leases []store.Lease // one of each network
	for _, c := range all {
		for _, l := range c.Leases {
			if !seen[l.Network] {
				seen[l.Network] = true
				leases = append(leases, l)
			}
		}
	}
	m.syncHosts(leases)
	if len(leases) == 0 {
		m.syncResolver() // an earlier host may have left one
	}
}
