package networks

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A taken is a subnet that a network cannot have, and why.
type taken struct {
	prefix netip.Prefix
	why    string
}

// machineSubnets returns what the machine has addresses on and routes to, apart from its
// default route and what is on a bridge of the host's own.
func (m *Manager) machineSubnets() (all []taken, err error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	add := func(n *net.IPNet, index int, what string) {
		p, ok := prefixOf(n)
		if !ok || p.Bits() == 0 || p.Addr().IsLoopback() || p.Addr().Is6() && !p.Addr().IsGlobalUnicast() || m.ownBridge(names[index]) {
			return
		}
		all = append(all, taken{p, fmt.Sprintf("%s %s of this machine (%s)", what, p, names[index])})
	}
	families := []int{netlink.FAMILY_V4}
	if lacksIPv6() == "" {
		families = append(families, netlink.FAMILY_V6)
	}
	for _, family := range families {
		addresses, err := netlink.AddrList(nil, family)
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			add(a.IPNet, a.LinkIndex, "the subnet")
		}
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			if r.Type == unix.RTN_UNICAST && r.Dst != nil {
				add(r.Dst, r.LinkIndex, "the route to")
			}
		}
	}
	return all, nil
}

// prefixOf returns the subnet of an address.
func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	p := netip.PrefixFrom(a.Unmap(), ones)
	return p.Masked(), ok && p.IsValid()
}

// storedSubnets returns the subnets of all networks.
func storedSubnets(all []*store.Network) []taken {
	var list []taken
	for _, n := range all {
		for _, p := range []netip.Prefix{n.Subnet, n.Subnet6} {
			if p.IsValid() {
				list = append(list, taken{p, fmt.Sprintf("network %s (%s)", n.Name, p)})
			}
		}
	}
	return list
}

// freeSubnet returns the first subnet of the pool that overlaps with nothing.
func (m *Manager) freeSubnet(used []taken) (netip.Prefix, error) {
	for _, pool := range m.pool {
		for p := netip.PrefixFrom(pool.Addr(), config.PoolBits); pool.Contains(p.Addr()); p = nextPrefix(p) {
			if overlap(p, used) == "" {
				return p, nil
			}
		}
	}
	names := make([]string, len(m.pool))
	for i, p := range m.pool {
		names[i] = p.String()
	}
	return netip.Prefix{}, executor.Errorf(executor.FailedPrecondition, "no subnet is free in %s: other networks and routes of this machine have all of them; give --subnet, or more subnets in network.pool of the config", strings.Join(names, ", "))
}

// overlap says what a subnet overlaps with, or "".
func overlap(p netip.Prefix, used []taken) string {
	for _, t := range used {
		if p.Overlaps(t.prefix) {
			return t.why
		}
	}
	return ""
}

// nextPrefix returns the subnet after one of the same size, or an invalid one.
func nextPrefix(p netip.Prefix) netip.Prefix {
	return netip.PrefixFrom(lastOf(p).Next(), p.Bits())
}

// lastOf returns the last address of a subnet, with which all of it are meant in IPv4.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// parseSubnet checks the subnet and the gateway of a user's, which may be empty.
func parseSubnet(opts api.NetworkOptions) (subnet netip.Prefix, gateway netip.Addr, err error) {
	fail := func(format string, args ...any) (netip.Prefix, netip.Addr, error) {
		return netip.Prefix{}, netip.Addr{}, executor.Errorf(executor.Invalid, format, args...)
	}
	if opts.Subnet == "" {
		if opts.Gateway != "" {
			return fail("a gateway (%s) is given, and no subnet; give both", opts.Gateway)
		}
		return subnet, gateway, nil
	}
	const minBits, maxBits = 8, 30 // a /30 has two addresses: the gateway's and one
	subnet, err = netip.ParsePrefix(opts.Subnet)
	switch {
	case err != nil:
		return fail("subnet %q is not of the form 10.1.2.0/24", opts.Subnet)
	case !subnet.Addr().Is4():
		return fail("subnet %s is not of IPv4; give that too, or leave it to the pool of the config", subnet)
	case subnet != subnet.Masked():
		return fail("subnet %s is an address within a subnet; did you mean %s?", subnet, subnet.Masked())
	case subnet.Bits() < minBits || subnet.Bits() > maxBits:
		return fail("subnet %s has the wrong size: /%d to /%d are possible", subnet, minBits, maxBits)
	case subnet.Addr().IsLoopback() || subnet.Addr().IsMulticast() || subnet.Addr().IsLinkLocalUnicast() || subnet.Addr().IsUnspecified():
		return fail("subnet %s is not one for networks: its addresses have a meaning of their own; use one such as 10.1.2.0/24", subnet)
	}
	gateway = subnet.Addr().Next()
	if opts.Gateway == "" {
		return subnet, gateway, nil
	}
	gateway, err = netip.ParseAddr(opts.Gateway)
	if err != nil || !usable(subnet, gateway) {
		return fail("gateway %q is not an address of a machine in the subnet %s", opts.Gateway, subnet)
	}
	return subnet, gateway, nil
}

// usable reports whether an address is one that a machine on a subnet can have. The first of
// IPv6 is that of any router.
func usable(subnet netip.Prefix, a netip.Addr) bool {
	return subnet.Contains(a) && a != subnet.Addr() && (a.Is6() || a != lastOf(subnet))
}
