package networks

import (
	"fmt"
	"net/netip"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// subnetBits6 is the length of the prefix of a subnet that the host chooses.
const subnetBits6 = 64

// parseSubnet6 checks the subnet and the gateway of IPv6 of a user's, which may be empty.
func parseSubnet6(opts api.NetworkOptions) (subnet netip.Prefix, gateway netip.Addr, err error) {
	fail := func(format string, args ...any) (netip.Prefix, netip.Addr, error) {
		return netip.Prefix{}, netip.Addr{}, executor.Errorf(executor.Invalid, format, args...)
	}
	if opts.Subnet6 == "" {
		if opts.Gateway6 != "" {
			return fail("a gateway of IPv6 (%s) is given, and no subnet of IPv6; give both", opts.Gateway6)
		}
		return subnet, gateway, nil
	}
	if opts.IPv6 != nil && !*opts.IPv6 {
		return fail("a subnet of IPv6 (%s) is given, and the network is to have no IPv6; leave out one of them", opts.Subnet6)
	}
	const minBits, maxBits = 16, 126 // a /126 has two addresses beside the gateway's
	subnet, err = netip.ParsePrefix(opts.Subnet6)
	switch {
	case err != nil:
		return fail("subnet %q is not of the form fd12:3456:789a:1::/64", opts.Subnet6)
	case !subnet.Addr().Is6() || subnet.Addr().Is4In6():
		return fail("subnet %s is not of IPv6", subnet)
	case subnet != subnet.Masked():
		return fail("subnet %s is an address within a subnet; did you mean %s?", subnet, subnet.Masked())
	case subnet.Bits() < minBits || subnet.Bits() > maxBits:
		return fail("subnet %s has the wrong size: /%d to /%d are possible for IPv6", subnet, minBits, maxBits)
	case !subnet.Addr().IsGlobalUnicast():
		return fail("subnet %s is not one for networks: its addresses have a meaning of their own; use one such as fd12:3456:789a:1::/64", subnet)
	}
	gateway = subnet.Addr().Next()
	if opts.Gateway6 == "" {
		return subnet, gateway, nil
	}
	gateway, err = netip.ParseAddr(opts.Gateway6)
	if err != nil || !usable(subnet, gateway) {
		return fail("gateway %q is not an address of a machine in the subnet %s", opts.Gateway6, subnet)
	}
	return subnet, gateway, nil
}

// wants6 reports whether a network is to have IPv6. The error is for one that is to have it by
// all means where the machine does not.
func (m *Manager) wants6(opts api.NetworkOptions) (bool, error) {
	asked := opts.IPv6 != nil && *opts.IPv6 || opts.Subnet6 != ""
	if !asked && (opts.IPv6 != nil || !m.ipv6) {
		return false, nil
	}
	why := lacksIPv6()
	mtu, err := machineMTU()
	switch {
	case err != nil:
		return false, explain("links of this machine", err)
	case why == "" && mtu < minMTU6:
		why = fmt.Sprintf("packets have at most %d bytes on the link of its default route, and %d with IPv6", mtu, minMTU6)
	case why == "":
		return true, nil
	}
	if asked {
		return false, executor.Errorf(executor.FailedPrecondition, "network %s is to have IPv6, and this machine cannot: %s; make it without", opts.Name, why)
	}
	m.logLack(why)
	return false, nil
}

// freeSubnet6 returns the first subnet of the host's own prefix that overlaps with nothing.
func (m *Manager) freeSubnet6(used []taken) (netip.Prefix, error) {
	for p := netip.PrefixFrom(m.ula.Addr(), subnetBits6); m.ula.Contains(p.Addr()); p = nextPrefix(p) {
		if overlap(p, used) == "" {
			return p, nil
		}
	}
	return netip.Prefix{}, executor.Errorf(executor.FailedPrecondition, "no subnet of IPv6 is free in %s: other networks and routes of this machine have all of them; give --subnet", m.ula)
}
