package networks

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Up makes the network namespace of a container with its addresses, as far as it is missing.
// It does nothing for a container without addresses.
func (m *Manager) Up(c *store.Container) error { return m.upIf(c, func() bool { return true }) }

// upIf does what Up does if ok returns true while nobody else makes or removes the namespace.
func (m *Manager) upIf(c *store.Container, ok func() bool) error {
	leases, err := m.Leases(c)
	if err != nil {
		return err
	}
	if len(leases) == 0 {
		if named(c.Network) {
			return executor.Errorf(executor.FailedPrecondition, "container %s has lost its address on network %s, with the state of the host; make it again", c.ID, c.Network)
		}
		return nil
	}
	if !m.enabled {
		return errOff()
	}
	unlock, err := m.spaces.Lock(context.Background(), c.NetNS())
	if err != nil {
		return err
	}
	defer unlock()
	if !ok() {
		return nil
	}
	for _, lease := range leases {
		if err := m.up(c.NetNS(), lease); err != nil {
			return explain(fmt.Sprintf("network %s of container %s", lease.Network, c.ID), err)
		}
	}
	return nil
}

// up makes a network namespace with an address.
func (m *Manager) up(id string, lease store.Lease) error {
	var n *store.Network
	err := m.store.View(func(tx *store.Tx) (err error) {
		n, err = tx.Network(lease.Network)
		return err
	})
	if err != nil {
		return err
	}
	if err := m.ensure(n); err != nil {
		return err
	}
	path := m.Path(id)
	if !pinned(path) {
		if err := pin(path); err != nil {
			return err
		}
	}
	return connect(id, path, n, lease.Address)
}

// Down removes a network namespace, which [store.Container.NetNS] names, unless a container
// that has it has a record. What is still in it keeps it.
func (m *Manager) Down(id string) error {
	if !m.enabled {
		return nil
	}
	unlock, err := m.spaces.Lock(context.Background(), id)
	if err != nil {
		return err
	}
	defer unlock()
	var sharers []string
	err = m.store.View(func(tx *store.Tx) (err error) {
		sharers, err = tx.Sharers(id)
		return err
	})
	if err == nil && len(sharers) == 0 {
		err = unpin(m.Path(id))
	}
	return explain("network of container "+id, err)
}

// connect makes a container's link to a bridge, with its address, as far as it is missing.
func connect(id, path string, n *store.Network, address netip.Addr) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	within, err := netlink.NewHandleAt(netns.NsHandle(f.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer within.Close()
	if err := linkUp(within, "lo"); err != nil {
		return err
	}
	bridge, err := netlink.LinkByName(n.Bridge)
	if err != nil {
		return fmt.Errorf("bridge %s: %w", n.Bridge, err)
	}
	link, err := within.LinkByName(inside)
	if isMissing(err) {
		if err = addLink(id, int(f.Fd()), n, address); err == nil {
			link, err = within.LinkByName(inside)
		}
	}
	if err != nil {
		return err
	}
	if err := within.AddrReplace(link, &netlink.Addr{IPNet: ipNet(address, n.Subnet)}); err != nil {
		return fmt.Errorf("address %s: %w", address, err)
	}
	if err := within.LinkSetUp(link); err != nil {
		return err
	}
	outer, err := netlink.LinkByName(LinkName(id))
	if err != nil {
		return err
	}
	if outer.Attrs().MasterIndex != bridge.Attrs().Index {
		if err := netlink.LinkSetMaster(outer, bridge); err != nil {
			return err
		}
	}
	if err := netlink.LinkSetUp(outer); err != nil {
		return err
	}
	if err := settle(within, LinkName(id), n.Bridge); err != nil {
		return err
	}
	if n.Internal {
		return nil
	}
	err = within.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: n.Gateway.AsSlice()})
	if err != nil {
		return fmt.Errorf("default route via %s: %w", n.Gateway, err)
	}
	return nil
}

// settle has the kernel send by links that have just come up. It may otherwise lose what is
// sent for up to a second, and is quicker with a link that somebody asks for.
func settle(within *netlink.Handle, outer, bridge string) error {
	_, oerr := netlink.LinkByName(outer)
	_, ierr := within.LinkByName(inside)
	_, berr := netlink.LinkByName(bridge)
	return errors.Join(oerr, ierr, berr)
}

func linkUp(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	return h.LinkSetUp(link)
}

// addLink makes both ends of a container's link, each in its place. An end of the same name
// that there is belongs to a namespace of the same container that is going.
func addLink(id string, ns int, n *store.Network, address netip.Addr) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = LinkName(id), n.MTU
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace, veth.PeerMTU = inside, netlink.NsFd(ns), uint32(n.MTU)
	veth.PeerHardwareAddr = hardwareAddr(address)
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
