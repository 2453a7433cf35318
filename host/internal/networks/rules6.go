package networks

import (
	"net"
	"net/netip"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// declareRules6 adds to a transaction what replaces the host's table of IPv6: there is one if a
// network has IPv6. It keeps all networks apart, also those of IPv4 alone, and has translations
// of IPv6.
func (m *Manager) declareRules6(c *nftables.Conn, all []*store.Network, translations []translation) error {
	wanted := slices.ContainsFunc(all, has6)
	there, err := m.hasTable(nftables.TableFamilyIPv6)
	if err != nil && wanted {
		return err
	}
	if !wanted && !there { // the kernel may not know the family
		return nil
	}
	table := &nftables.Table{Name: m.table, Family: nftables.TableFamilyIPv6}
	c.AddTable(table) // what is not there cannot be removed
	c.DelTable(table)
	if !wanted {
		return nil
	}
	c.AddTable(table)
	addMasquerade6(c, table, all)
	if err := addIsolation(c, table, all); err != nil {
		return err
	}
	return addTranslations(c, table, ipv6, all, translations)
}

// hasTable reports whether the host's table of a family is there.
func (m *Manager) hasTable(family nftables.TableFamily) (bool, error) {
	c, err := nftables.New()
	if err != nil {
		return false, err
	}
	tables, err := c.ListTablesOfFamily(family)
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == m.table }), err
}

// rules6Intact reports whether the host's table of IPv6 has as many rules as it should.
func (m *Manager) rules6Intact(c *nftables.Conn, all []*store.Network) (bool, error) {
	if !slices.ContainsFunc(all, has6) {
		return true, nil
	}
	rules, err := m.countRules(c, nftables.TableFamilyIPv6)
	if err != nil {
		return false, err
	}
	want := 1 + len(all) + translationRules(ipv6.of(m.translations())) // between bridges, and within
	for _, n := range all {
		switch {
		case n.Internal:
			want += 2
		case masquerades6(n):
			want++
		}
	}
	return rules == want, nil
}

// masquerades6 reports whether packets of IPv6 leave a network with an address of the machine,
// since nobody else knows where its own are.
func masquerades6(n *store.Network) bool { return has6(n) && !n.Internal && local(n.Subnet6) }

// addMasquerade6 gives packets that leave a network for elsewhere an address of the machine.
func addMasquerade6(c *nftables.Conn, table *nftables.Table, all []*store.Network) {
	chain := c.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	for _, n := range all {
		if masquerades6(n) {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: concat(fromSubnet6(n.Subnet6), outOf(expr.CmpOpNeq, n.Bridge), []expr.Any{&expr.Masq{}})})
		}
	}
}

// fromSubnet6 matches packets whose source is in a subnet.
func fromSubnet6(p netip.Prefix) []expr.Any {
	const sourceOffset, length = 8, 16 // of the header of IPv6
	network := p.Addr().As16()
	return []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: sourceOffset, Len: length},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: length, Mask: net.CIDRMask(p.Bits(), 8*length), Xor: make([]byte, length)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: network[:]},
	}
}
