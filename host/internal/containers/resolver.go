package containers

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/resolver/server"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// syncResolver has the resolver answer what the records say. What is missing of that is
// logged: names are in /etc/hosts as well.
func (m *Manager) syncResolver() {
	if m.resolver == nil {
		return
	}
	m.zones.Lock()
	defer m.zones.Unlock()
	zones, err := m.currentZones()
	if err == nil {
		err = m.resolver.Set(zones)
	}
	if err != nil {
		m.logger.Warn("what containers find by DNS is not up to date", "error", err)
	}
}

// currentZones returns what the resolver is to answer to whom.
func (m *Manager) currentZones() (z server.Zones, err error) {
	z.Clients = map[netip.Addr]server.Client{}
	err = m.store.View(func(tx *store.Tx) error {
		all, err := tx.Networks()
		for _, n := range all {
			zone := server.Network{
				Name: n.Name, Gateways: []netip.Addr{n.Gateway}, Subnets: []netip.Prefix{n.Subnet}, Internal: n.Internal,
				Names: map[string][]netip.Addr{}, Addresses: map[netip.Addr]string{},
			}
			if n.Subnet6.IsValid() {
				zone.Subnets = append(zone.Subnets, n.Subnet6)
			}
			owners, oerr := tx.Leases(n.Name)
			err = errors.Join(err, oerr)
			for address, id := range owners {
				c, cerr := tx.Container(id)
				if cerr != nil {
					continue // it is damaged, and has no name that is known
				}
				addNames(&zone, c, address)
				client := z.Clients[address]
				client.Servers, client.Search = c.Names.Servers, c.Names.Search
				for _, l := range c.Leases {
					client.Networks = append(client.Networks, l.Network)
				}
				z.Clients[address] = client
			}
			if len(owners) > 0 {
				for _, addresses := range zone.Names {
					slices.SortFunc(addresses, netip.Addr.Compare) // the same text for the same names
				}
				z.Networks = append(z.Networks, zone)
			}
		}
		return err
	})
	return z, err
}

// addNames adds the names of a container to those of a network.
func addNames(zone *server.Network, c *store.Container, address netip.Addr) {
	zone.Addresses[address] = api.ShortID(c.ID)
	if c.Name != "" {
		zone.Addresses[address] = c.Name
	}
	var seen []string
	for _, name := range append([]string{c.Name, api.ShortID(c.ID)}, aliasesOn(c, zone.Name)...) {
		name = strings.ToLower(name)
		if name != "" && !slices.Contains(seen, name) {
			seen = append(seen, name)
			zone.Names[name] = append(zone.Names[name], address)
		}
	}
}

// nameResolver puts the resolver before the other servers in resolv.conf of a container that is
// about to be started, if it answers within its network. Plugins say themselves whom their
// containers ask.
func (m *Manager) nameResolver(ctx context.Context, c *store.Container) {
	if m.resolver == nil || len(c.Leases) == 0 || c.Leases[0].Driver != "" {
		return
	}
	path := filepath.Join(m.etcDir(c.ID), "resolv.conf")
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Nlink > 1 {
		return // it is that of its root file system, or one that runs has it as well
	}
	text, err := linux.ReadFile(path, maxResolvConf)
	if err != nil {
		return
	}
	gateway, err := m.networks.Gateway(c)
	if err != nil {
		return
	}
	line := "nameserver " + gateway.String() + "\n"
	if strings.Contains("\n"+string(text), "\n"+line) || !m.resolver.Answers(ctx, m.networks.Path(c.NetNS()), c.Leases[0].Network, gateway) {
		return
	}
	if err := replaceFile(path, withServer(string(text), line)); err != nil {
		m.logger.Warn("a container does not know the resolver", "container", c.ID, "error", err)
	}
}

// maxResolvConf is how large a resolv.conf may be, in bytes. Who is in the container can write
// to it.
const maxResolvConf = 1 << 16

// withServer puts a line before the first server of a resolv.conf.
func withServer(text, line string) string {
	var b strings.Builder
	added := false
	for l := range strings.Lines(text) {
		if words := strings.Fields(l); !added && len(words) > 0 && words[0] == "nameserver" {
			added = true
			b.WriteString(line)
		}
		b.WriteString(strings.TrimSuffix(l, "\n") + "\n")
	}
	if !added {
		b.WriteString(line)
	}
	return b.String()
}
