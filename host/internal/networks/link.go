package networks

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// insidePrefix begins the names of a container's ends of its links; their numbers follow.
const insidePrefix = "eth"

// maxLinks bounds the links of a container, and the length of their names.
const maxLinks = 36

// insideName returns the name of a container's end of a link.
func insideName(number int) string { return insidePrefix + strconv.Itoa(number) }

// outsideName returns the name of the machine's end of a link of a container. That of the
// first is [LinkName].
func outsideName(id string, number int) string {
	if number == 0 {
		return LinkName(id)
	}
	const length, base = 9, 36 // of 15 that the kernel allows
	return linkPrefix + id[:min(length, len(id))] + "-" + strconv.FormatInt(int64(number), base)
}

// ownBridge reports whether a name is that of a bridge of this host, or was.
func (m *Manager) ownBridge(name string) bool {
	number, ok := strings.CutPrefix(name, m.bridges)
	_, err := strconv.ParseUint(number, 10, 32)
	return ok && err == nil
}

// find returns a link, or nil if there is none.
func find(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if isMissing(err) {
		return nil, nil
	}
	return link, err
}

func isMissing(err error) bool {
	_, ok := errors.AsType[netlink.LinkNotFoundError](err)
	return ok
}

// declareBridge makes the bridge of a network, as far as it is missing.
func declareBridge(n *store.Network) error {
	link, err := find(n.Bridge)
	if err != nil {
		return err
	}
	if link == nil {
		attrs := netlink.NewLinkAttrs()
		// Without an address of its own, a bridge takes one of its links', which come and go.
		attrs.Name, attrs.MTU, attrs.HardwareAddr = n.Bridge, n.MTU, hardwareAddr(n.Gateway)
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		if link, err = netlink.LinkByName(n.Bridge); err != nil {
			return err
		}
	}
	if link.Type() != "bridge" {
		return fmt.Errorf("there is a link of that name that is a %s; rename it", link.Type())
	}
	if err := netlink.AddrReplace(link, &netlink.Addr{IPNet: ipNet(n.Gateway, n.Subnet)}); err != nil {
		return fmt.Errorf("address %s: %w", n.Gateway, err)
	}
	quiet(n.Bridge, has6(n))
	if err := netlink.LinkSetUp(link); err != nil || !has6(n) {
		return err
	}
	if err := netlink.AddrReplace(link, address6(n.Gateway6, n.Subnet6)); err != nil {
		return fmt.Errorf("address %s: %w", n.Gateway6, err)
	}
	return nil
}

// removeBridge removes a bridge, if there is one.
func removeBridge(name string) error {
	link, err := find(name)
	if err != nil || link == nil || link.Type() != "bridge" {
		return err
	}
	if err = netlink.LinkDel(link); isMissing(err) || errors.Is(err, unix.ENODEV) {
		err = nil
	}
	return err
}

// ipNet returns an address with the length of its subnet.
func ipNet(a netip.Addr, subnet netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(subnet.Bits(), a.BitLen())}
}

// hardwareAddr returns the one that belongs to an address, always the same, so that peers that
// remember it are right after a restart.
func hardwareAddr(a netip.Addr) net.HardwareAddr {
	b := a.As4()
	return net.HardwareAddr{0x02, 0xda, b[0], b[1], b[2], b[3]}
}

// machineMTU returns that of the link of the default route, or the usual one.
func machineMTU() (int, error) {
	const usual = 1500
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return 0, err
	}
	for _, r := range routes {
		if r.LinkIndex == 0 || r.Dst != nil && !r.Dst.IP.IsUnspecified() {
			continue
		}
		link, err := netlink.LinkByIndex(r.LinkIndex)
		if err != nil {
			return usual, nil //nolint:nilerr // it has just gone
		}
		return link.Attrs().MTU, nil
	}
	return usual, nil
}
