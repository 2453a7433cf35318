package networks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// repair makes again what is missing after changes by others, and says so. It reports whether
// something was missing.
func (m *Manager) repair(ctx context.Context, seen *changes) bool {
	if seen.others || seen.all {
		m.publishIfAny()
	}
	if !seen.rules && !seen.all && len(seen.links) == 0 {
		return false
	}
	var all []*store.Network
	var containers []*store.Container
	err := m.store.View(func(tx *store.Tx) error {
		var nerr, cerr error
		all, nerr = tx.Networks()
		containers, cerr = tx.Containers()
		return errors.Join(nerr, cerr)
	})
	if err != nil {
		m.logger.Error("what others have changed of networks was not looked at", "error", err)
	}
	missing, without, err := m.repairShared(all, seen)
	var cut []*store.Container
	for _, c := range containers {
		if len(c.Leases) == 0 {
			continue
		}
		lost := false
		for _, l := range c.Leases {
			if l.Driver != "" {
				continue
			}
			name := outsideName(c.NetNS(), l.Link)
			if (seen.all || seen.links[name]) && m.linkMissing(c.NetNS(), name) {
				missing = append(missing, "a link of container "+c.ID)
				lost = true
			}
			lost = lost || without[l.Network]
		}
		if lost {
			cut = append(cut, c)
		}
	}
	err = errors.Join(err, m.upAll(ctx, cut))
	if len(missing) > 0 && ctx.Err() == nil {
		m.logger.Warn("another program has removed what networks need; it is made again", "removed", strings.Join(missing, ", "))
	}
	if err != nil && ctx.Err() == nil {
		m.logger.Error("what another program has removed of networks was not made again; the next start of a container tries it", "error", err)
	}
	return len(missing) > 0 || err != nil
}

// linkMissing reports whether a network namespace that there is has lost a link.
func (m *Manager) linkMissing(netns, name string) bool {
	unlock, err := m.spaces.Lock(context.Background(), netns)
	if err != nil {
		return false
	}
	defer unlock()
	if !pinned(m.Path(netns)) {
		return false
	}
	link, err := find(name)
	return err == nil && link == nil
}

// repairShared makes again what containers share. It returns what was missing of it, and the
// names of the networks whose bridge was.
func (m *Manager) repairShared(all []*store.Network, seen *changes) (missing []string, without map[string]bool, err error) {
	without = map[string]bool{}
	m.changes.Lock()
	defer m.changes.Unlock()
	var lost []*store.Network
	for _, n := range all {
		if !seen.all && !seen.links[n.Bridge] {
			continue
		}
		// It may have been removed since it was read.
		if err := m.store.View(func(tx *store.Tx) error { _, err := tx.Network(n.Name); return err }); err != nil {
			continue
		}
		if ok, berr := bridgeIntact(n); !ok && berr == nil {
			lost, missing = append(lost, n), append(missing, "bridge "+n.Bridge+" of network "+n.Name)
			without[n.Name] = true
		}
	}
	if seen.rules || seen.all {
		if ok, rerr := m.rulesIntact(); !ok && rerr == nil {
			missing = append(missing, "rules of nftables in table "+m.table)
			return missing, without, m.declare(lost...)
		}
	}
	if len(lost) > 0 {
		err = m.declare(lost...)
	}
	return missing, without, err
}

// bridgeIntact reports whether the bridge of a network is as it is declared.
func bridgeIntact(n *store.Network) (bool, error) {
	link, err := find(n.Bridge)
	if err != nil || link == nil {
		return false, err
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		return false, nil
	}
	ok, err := hasAddress(link, n.Gateway)
	if ok && err == nil && has6(n) {
		ok, err = hasAddress(link, n.Gateway6)
	}
	return ok, err
}

// hasAddress reports whether a link has an address.
func hasAddress(link netlink.Link, a netip.Addr) (bool, error) {
	family := netlink.FAMILY_V4
	if a.Is6() {
		family = netlink.FAMILY_V6
	}
	all, err := netlink.AddrList(link, family)
	return slices.ContainsFunc(all, func(has netlink.Addr) bool { return has.IP.Equal(a.AsSlice()) }), err
}

// rulesIntact reports whether the host's table has as many rules as it should.
func (m *Manager) rulesIntact() (bool, error) {
	var all []*store.Network
	err := m.store.View(func(tx *store.Tx) (err error) {
		all, err = tx.Networks()
		return err
	})
	if err != nil || len(all) == 0 {
		return err == nil, err
	}
	c, err := nftables.New()
	if err != nil {
		return false, err
	}
	rules, err := m.countRules(c, nftables.TableFamilyIPv4)
	if err != nil || rules != ruleCount(all)+translationRules(ipv4.of(m.translations())) {
		return false, err
	}
	return m.rules6Intact(c, all)
}

// countRules returns how many rules the host's table of a family has, if there is one.
func (m *Manager) countRules(c *nftables.Conn, family nftables.TableFamily) (n int, err error) {
	chains, err := c.ListChainsOfTableFamily(family)
	if err != nil {
		return 0, err
	}
	for _, chain := range chains {
		if chain.Table.Name == m.table {
			rules, err := c.GetRules(chain.Table, chain)
			if err != nil {
				return 0, err
			}
			n += len(rules)
		}
	}
	return n, nil
}
