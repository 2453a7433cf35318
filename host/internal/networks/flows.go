package networks

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel remembers where it has sent the first datagram of a flow, and sends all others
// there too, for as long as they come. These functions have it forget that where it is not
// right any more. Connections of TCP end by themselves.

// Forget forgets the flows of UDP to and from addresses that containers have had. It is called
// once they have none of them any more, and before others use them.
func (m *Manager) Forget(leases []store.Lease) {
	if !m.enabled || len(leases) == 0 {
		return
	}
	for _, family := range families {
		m.forget(family, func(f *flow) bool {
			return slices.ContainsFunc(leases, func(l store.Lease) bool { return f.has(family.address(l)) })
		})
	}
}

// flushTranslated forgets the flows that other translations have decided over than those that
// there are now.
func (m *Manager) flushTranslated(before, now []translation) {
	for _, family := range families {
		m.flushTranslatedOf(family, family.of(before), family.of(now))
	}
}

func (m *Manager) flushTranslatedOf(family *family, before, now []translation) {
	gone, come := udpWithout(before, now), udpWithout(now, before)
	if len(gone) == 0 && len(come) == 0 {
		return
	}
	local, err := machineAddresses(family)
	if err != nil {
		m.logger.Debug("flows of UDP to published ports were not looked for", "error", err)
		return
	}
	m.forget(family, func(f *flow) bool {
		port := f.asked.Port()
		return slices.ContainsFunc(gone[port], f.translatedBy) || local[f.asked.Addr()] && slices.ContainsFunc(come[port], f.belongsTo)
	})
}

// udpWithout returns the translations of UDP that others do not have, by their ports.
func udpWithout(all, others []translation) map[uint16][]translation {
	has := make(map[translation]bool, len(others))
	for _, t := range others {
		has[t] = true
	}
	byPort := map[uint16][]translation{}
	for _, t := range all {
		if t.protocol == unix.IPPROTO_UDP && !has[t] {
			byPort[t.port] = append(byPort[t.port], t)
		}
	}
	return byPort
}

// flushStale forgets the flows that an earlier host has left to addresses that nobody has, and
// by translations that there are not any more.
func (m *Manager) flushStale(all []*store.Network, containers []*store.Container) {
	for _, f := range families {
		m.flushStaleOf(f, all, containers)
	}
}

func (m *Manager) flushStaleOf(family *family, all []*store.Network, containers []*store.Container) {
	leased := map[netip.Addr]bool{}
	for _, c := range containers {
		for _, l := range c.Leases {
			leased[family.address(l)] = true
		}
	}
	within := func(a netip.Addr) *store.Network {
		i := slices.IndexFunc(all, func(n *store.Network) bool { subnet, _ := family.subnet(n); return subnet.Contains(a) })
		if i < 0 {
			return nil
		}
		return all[i]
	}
	stale := func(a netip.Addr) bool {
		n := within(a)
		if n == nil || leased[a] {
			return false
		}
		subnet, gateway := family.subnet(n)
		return usable(subnet, a) && a != gateway
	}
	now := udpWithout(family.of(m.translations()), nil)
	m.forget(family, func(f *flow) bool {
		if slices.ContainsFunc([]netip.Addr{f.from.Addr(), f.asked.Addr(), f.to.Addr(), f.back.Addr()}, stale) {
			return true
		}
		return f.asked != f.to && within(f.to.Addr()) != nil && !slices.ContainsFunc(now[f.asked.Port()], f.translatedBy)
	})
}

// A flow is what the kernel remembers of datagrams that go the same way.
type flow struct {
	from, asked netip.AddrPort // as they were sent
	to, back    netip.AddrPort // where they go, and where the answers go
}

// has reports whether a flow comes from an address or goes there.
func (f *flow) has(a netip.Addr) bool {
	return f.from.Addr() == a || f.asked.Addr() == a || f.to.Addr() == a || f.back.Addr() == a
}

// translatedBy reports whether a flow goes where it goes because of a translation.
func (f *flow) translatedBy(t translation) bool {
	return f.to == t.to && f.asked != f.to && f.asked.Port() == t.port && (!t.host.IsValid() || t.host == f.asked.Addr())
}

// belongsTo reports whether a flow to an address of the machine goes elsewhere than a
// translation says.
func (f *flow) belongsTo(t translation) bool {
	return f.to != t.to && f.asked.Port() == t.port && (!t.host.IsValid() || t.host == f.asked.Addr())
}

// forget forgets the flows of UDP that match.
func (m *Manager) forget(f *family, match func(*flow) bool) {
	kind := netlink.InetFamily(unix.AF_INET6)
	if f.is4 {
		kind = unix.AF_INET
	}
	n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, kind, flowFilter(match))
	switch {
	case errors.Is(err, unix.ENOENT): // it has ended meanwhile
	case err != nil:
		m.logger.Debug("flows of UDP that are not right any more are not forgotten", "error", err)
	case n > 0:
		m.logger.Debug("flows of UDP are forgotten", "count", n)
	}
}

// flowFilter implements netlink.CustomConntrackFilter.
type flowFilter func(*flow) bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (match flowFilter) MatchConntrackFlow(c *netlink.ConntrackFlow) bool {
	if c.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	at := func(ip []byte, port uint16) netip.AddrPort {
		a, _ := netip.AddrFromSlice(ip)
		return netip.AddrPortFrom(a.Unmap(), port)
	}
	return match(&flow{
		from: at(c.Forward.SrcIP, c.Forward.SrcPort), asked: at(c.Forward.DstIP, c.Forward.DstPort),
		to: at(c.Reverse.SrcIP, c.Reverse.SrcPort), back: at(c.Reverse.DstIP, c.Reverse.DstPort),
	})
}

// machineAddresses returns the addresses of the machine.
func machineAddresses(f *family) (map[netip.Addr]bool, error) {
	kind := netlink.FAMILY_V6
	if f.is4 {
		kind = netlink.FAMILY_V4
	}
	all, err := netlink.AddrList(nil, kind)
	local := map[netip.Addr]bool{}
	for _, a := range all {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			local[ip.Unmap()] = true
		}
	}
	return local, err
}
