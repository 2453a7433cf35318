package networks

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// advertise has the machine beside this one say that it is a router, and which prefix there is.
func (l lan) advertise(t *testing.T, prefix netip.Prefix) {
	t.Helper()
	const (
		hopLimit, lifetime = 64, 1800
		prefixInfo, onLink = 3, 0xc0 // on the link, and for addresses
	)
	m := []byte{134, 0, 0, 0, hopLimit, 0, lifetime >> 8, lifetime & 0xff, 0, 0, 0, 0, 0, 0, 0, 0, prefixInfo, 4, byte(prefix.Bits()), onLink}
	m = binary.BigEndian.AppendUint32(m, 2*lifetime)
	m = binary.BigEndian.AppendUint32(m, lifetime)
	m = append(append(m, 0, 0, 0, 0), prefix.Addr().AsSlice()...)
	err := within(l.path, func() error {
		link, err := netlink.LinkByName("down")
		if err != nil {
			return err
		}
		router := netip.MustParsePrefix("fe80::1/64")
		if err := netlink.AddrReplace(link, address6(router.Addr(), router)); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		const most = 255 // or it is taken for one from elsewhere
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, most); err != nil {
			return err
		}
		index := link.Attrs().Index
		if err := unix.Bind(fd, &unix.SockaddrInet6{Addr: router.Addr().As16(), ZoneId: uint32(index)}); err != nil {
			return err
		}
		return unix.Sendto(fd, m, 0, &unix.SockaddrInet6{Addr: netip.IPv6LinkLocalAllNodes().As16(), ZoneId: uint32(index)})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRouterOfMachine leaves the machine the addresses and the route that it has from a router,
// when it becomes one itself for its containers.
func TestRouterOfMachine(t *testing.T) {
	need6(t)
	lan := newLAN(t)
	setSysctl(t, "all", "forwarding", "0")
	setSysctl(t, "up", "accept_ra", "1")
	routed := func() bool {
		routes, err := netlink.RouteList(nil, netlink.FAMILY_V6)
		return err == nil && slices.ContainsFunc(routes, func(r netlink.Route) bool { return r.Protocol == unix.RTPROT_RA && r.Gw != nil })
	}
	has := func(prefix netip.Prefix) func() bool {
		return func() bool {
			link, err := net.InterfaceByName("up")
			if err != nil {
				return false
			}
			all, err := link.Addrs()
			return err == nil && slices.ContainsFunc(all, func(a net.Addr) bool {
				p, err := netip.ParsePrefix(a.String())
				return err == nil && prefix.Contains(p.Addr())
			})
		}
	}
	first, second := netip.MustParsePrefix("2001:db8:5::/64"), netip.MustParsePrefix("2001:db8:6::/64")
	lan.advertise(t, first)
	wait.Until(t, "the machine has an address of the router's", has(first))
	wait.Until(t, "the machine has the router's route", routed)

	m, log := openLogged(t, t.TempDir())
	on := true
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "inner", IPv6: &on, Internal: true}); err != nil {
		t.Fatal(err)
	}
	if got := sysctl(t, here, "all", "forwarding"); got != "0" || log.String() != "" {
		t.Errorf("a network that leads nowhere needs no forwarding, which is %s, and the log says:\n%s", got, log)
	}
	n, err := m.Create(t.Context(), api.NetworkOptions{Name: "web", IPv6: &on})
	if err != nil {
		t.Fatal(err)
	}
	if got := sysctl(t, here, "all", "forwarding"); got != "1" || !routed() || !has(first)() {
		t.Errorf("forwarding is %s, the route is there: %t, the address: %t; the log says:\n%s", got, routed(), has(first)(), log)
	}
	lan.advertise(t, second)
	wait.Until(t, "the machine has what the router says later", has(second))
	if got := sysctl(t, here, n.Bridge, "accept_ra"); got != "0" {
		t.Errorf("accept_ra of the bridge is %s", got)
	}
	m.removeAll(t)
	m.checkNothing(t)
}
