package networks

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is a network namespace that is open.
type space struct {
	id   string
	file *os.File
	*netlink.Handle
}

// enter opens the network namespace at a path, and sees to its loopback.
func enter(id, path string) (*space, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	within, err := netlink.NewHandleAt(netns.NsHandle(f.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	s := &space{id, f, within}
	if err := linkUp(within, "lo"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *space) close() {
	s.Close()
	_ = s.file.Close()
}

// connect makes a link to a bridge, with its address, as far as it is missing, and the default
// route through it if that is wanted. byDefault6 is the same for IPv6.
func (s *space) connect(n *store.Network, lease store.Lease, byDefault, byDefault6 bool) error {
	bridge, err := netlink.LinkByName(n.Bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", n.Bridge, err)
	}
	inside, outside := insideName(lease.Link), outsideName(s.id, lease.Link)
	link, err := s.LinkByName(inside)
	if isMissing(err) {
		if err = s.addLink(n, lease); err == nil {
			link, err = s.LinkByName(inside)
		}
	}
	if err != nil {
		return err
	}
	if err := s.AddrReplace(link, &netlink.Addr{IPNet: ipNet(lease.Address, n.Subnet)}); err != nil {
		return fmt.Errorf("address %s: %w", lease.Address, err)
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := s.quiet(inside, has6(n)); err != nil {
			return err
		}
	}
	if err := s.LinkSetUp(link); err != nil {
		return err
	}
	outer, err := netlink.LinkByName(outside)
	if err != nil {
		return err
	}
	if outer.Attrs().MasterIndex != bridge.Attrs().Index {
		if err := netlink.LinkSetMaster(outer, bridge); err != nil {
			return err
		}
	}
	if outer.Attrs().Flags&net.FlagUp == 0 {
		deafen(outside)
	}
	if err := netlink.LinkSetUp(outer); err != nil {
		return err
	}
	if err := s.settle(inside, outside, n.Bridge); err != nil {
		return err
	}
	if has6(n) && lease.Address6.IsValid() {
		if err := s.connect6(link, n, lease, byDefault6); err != nil {
			return err
		}
	}
	if !byDefault {
		return nil
	}
	if err := s.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: n.Gateway.AsSlice()}); err != nil {
		return fmt.Errorf("default route via %s: %w", n.Gateway, err)
	}
	return nil
}

// settle has the kernel send by links that have just come up. It may otherwise lose what is
// sent for up to a second, and is quicker with a link that somebody asks for.
func (s *space) settle(inside, outside, bridge string) error {
	_, oerr := netlink.LinkByName(outside)
	_, ierr := s.LinkByName(inside)
	_, berr := netlink.LinkByName(bridge)
	return errors.Join(oerr, ierr, berr)
}

// leaveOthers removes the links that the host has made and that no lease has.
func (s *space) leaveOthers(leases []store.Lease) error {
	has := map[string]bool{}
	for _, l := range leases {
		has[insideName(l.Link)] = true
	}
	links, err := s.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		name := l.Attrs().Name
		digits, ok := strings.CutPrefix(name, insidePrefix)
		number, nerr := strconv.Atoi(digits)
		if !ok || nerr != nil || has[name] || insideName(number) != name || number >= maxLinks {
			continue
		}
		outer, err := find(outsideName(s.id, number))
		if err != nil {
			return err
		}
		if outer == nil || outer.Type() != "veth" { // the container has made it
			continue
		}
		if err := netlink.LinkDel(outer); err != nil && !isMissing(err) && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("link %s: %w", outer.Attrs().Name, err)
		}
	}
	return nil
}

func linkUp(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	return h.LinkSetUp(link)
}

// addLink makes both ends of a link, each in its place. An end of the same name that there is
// belongs to a namespace of the same container that is going.
func (s *space) addLink(n *store.Network, lease store.Lease) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = outsideName(s.id, lease.Link), n.MTU
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace, veth.PeerMTU = insideName(lease.Link), netlink.NsFd(int(s.file.Fd())), uint32(n.MTU)
	veth.PeerHardwareAddr = HardwareAddress(lease)
	err := netlink.LinkAdd(veth)
	if errors.Is(err, unix.EEXIST) {
		if old, ferr := find(attrs.Name); ferr == nil && old != nil && old.Type() == "veth" {
			_ = netlink.LinkDel(old) // then the kernel was faster
			err = netlink.LinkAdd(veth)
		}
	}
	if err != nil {
		return fmt.Errorf("link %s: %w", attrs.Name, err)
	}
	return nil
}
