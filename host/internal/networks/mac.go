package networks

import (
	"net"
	"net/netip"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// HardwareAddress returns the one of the link of a lease: that which was asked for, or one
// that belongs to its address. It is the same after each restart.
func HardwareAddress(l store.Lease) net.HardwareAddr {
	if a, err := net.ParseMAC(l.MAC); err == nil {
		return a
	}
	return hardwareAddr(l.Address)
}

// CheckMAC checks the hardware address that a container asks for, as mode and leases of
// [Manager.Check] are, and puts it into the first lease. An empty one leaves all as it is.
func (m *Manager) CheckMAC(mode, mac string, leases []store.Lease) error {
	if mac == "" {
		return nil
	}
	a, err := net.ParseMAC(mac)
	const length, group = 6, 1
	switch {
	case err != nil || len(a) != length:
		return executor.Errorf(executor.Invalid, "%q is not a MAC address such as 02:42:ac:11:00:02", mac)
	case a[0]&group != 0:
		return executor.Errorf(executor.Invalid, "MAC address %s is one of a group; choose one whose first digits are even, such as 02", a)
	case a.String() == "00:00:00:00:00:00":
		return executor.Errorf(executor.Invalid, "MAC address %s is none; choose one such as 02:42:ac:11:00:02", a)
	case len(leases) == 0 || !named(mode):
		return executor.Errorf(executor.Invalid, "a MAC address (%s) is given, and no network; give --network NAME too", a)
	}
	leases[0].MAC = a.String()
	return m.store.View(func(tx *store.Tx) error { return freeMAC(tx, leases[0]) })
}

// freeMAC checks that no container of a lease's network has the hardware address that it asks
// for, nor will have it.
func freeMAC(tx *store.Tx, wish store.Lease) error {
	if wish.MAC == "" {
		return nil
	}
	n, err := tx.Network(wish.Network)
	if err != nil {
		return err
	}
	mac, _ := net.ParseMAC(wish.MAC)
	if a := netip.AddrFrom4([4]byte(mac[2:])); n.Subnet.Contains(a) && hardwareAddr(a).String() == wish.MAC {
		return executor.Errorf(executor.Invalid, "MAC address %s is that of %s on network %s, whoever has it; choose another one", wish.MAC, a, n.Name)
	}
	owners, err := tx.Leases(n.Name)
	if err != nil {
		return err
	}
	for address, id := range owners {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		for _, l := range c.Leases {
			if l.Network == n.Name && l.MAC == wish.MAC {
				return executor.Errorf(executor.AlreadyExists, "MAC address %s is that of %s on network %s; choose another one, or remove that container", wish.MAC, membersOf(tx, map[netip.Addr]string{address: id}), n.Name)
			}
		}
	}
	return nil
}
