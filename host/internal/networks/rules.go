package networks

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// numbering guards a variable of package nftables, by which it numbers the sets of all
// connections. There may be several hosts in a process.
var numbering sync.Mutex

// replaceTable replaces the table by what the records say, and translations, in one transaction
// of nftables.
func (m *Manager) replaceTable(wanted []translation) error {
	var all []*store.Network
	err := m.store.View(func(tx *store.Tx) (err error) {
		all, err = tx.Networks()
		return err
	})
	if err != nil {
		return err
	}
	c, err := connect(wanted)
	if err != nil {
		return err
	}
	numbering.Lock()
	defer numbering.Unlock()
	table := &nftables.Table{Name: m.table, Family: nftables.TableFamilyIPv4}
	c.AddTable(table) // what is not there cannot be removed
	c.DelTable(table)
	if len(all) > 0 {
		c.AddTable(table)
		addMasquerade(c, table, all)
		if err := addIsolation(c, table, all); err != nil {
			return err
		}
		if err := addResolver(c, table, all); err != nil {
			return err
		}
		if err := addTranslations(c, table, ipv4, all, ipv4.of(wanted)); err != nil {
			return err
		}
	}
	if err := m.declareRules6(c, all, ipv6.of(wanted)); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("rules of nftables: %w", err)
	}
	return nil
}

// hasRules reports whether the table is there.
func (m *Manager) hasRules() (bool, error) { return m.hasTable(nftables.TableFamilyIPv4) }

// ruleCount returns how many rules the table has.
func ruleCount(all []*store.Network) int {
	n := 1 + resolverRules // between bridges
	for _, network := range all {
		n += 2
		if network.Internal {
			n++
		}
	}
	return n
}

// addMasquerade gives packets that leave a network for elsewhere an address of the machine.
func addMasquerade(c *nftables.Conn, table *nftables.Table, all []*store.Network) {
	chain := c.AddChain(&nftables.Chain{
		Name: "postrouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	})
	for _, n := range all {
		if !n.Internal {
			c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: concat(fromSubnet(n.Subnet), outOf(expr.CmpOpNeq, n.Bridge), []expr.Any{&expr.Masq{}})})
		}
	}
}

// addIsolation keeps networks apart from each other, and internal ones from everything else.
func addIsolation(c *nftables.Conn, table *nftables.Table, all []*store.Network) error {
	chain := c.AddChain(&nftables.Chain{
		Name: "forward", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter,
	})
	rule := func(parts ...[]expr.Any) {
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: concat(parts...)})
	}
	bridges := &nftables.Set{Table: table, Name: "bridges", Constant: true, KeyType: nftables.TypeIFName}
	var names []nftables.SetElement
	for _, n := range all {
		names = append(names, nftables.SetElement{Key: linkName(n.Bridge)})
	}
	if err := c.AddSet(bridges, names); err != nil {
		return err
	}
	for _, n := range all { // where bridges pass packets through here, they stay within
		rule(into(n.Bridge), outOf(expr.CmpOpEq, n.Bridge), verdict(expr.VerdictAccept))
	}
	rule(meta(expr.MetaKeyIIFNAME), among(bridges), meta(expr.MetaKeyOIFNAME), among(bridges), verdict(expr.VerdictDrop))
	for _, n := range all {
		if n.Internal {
			rule(into(n.Bridge), verdict(expr.VerdictDrop))
			rule(outOf(expr.CmpOpEq, n.Bridge), verdict(expr.VerdictDrop))
		}
	}
	return nil
}

func concat(parts ...[]expr.Any) (all []expr.Any) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

const register = 1

func meta(key expr.MetaKey) []expr.Any { return []expr.Any{&expr.Meta{Key: key, Register: register}} }

func among(set *nftables.Set) []expr.Any {
	return []expr.Any{&expr.Lookup{SourceRegister: register, SetName: set.Name, SetID: set.ID}}
}

func verdict(kind expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: kind}} }

func into(link string) []expr.Any {
	return append(meta(expr.MetaKeyIIFNAME), &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: linkName(link)})
}

func outOf(op expr.CmpOp, link string) []expr.Any {
	return append(meta(expr.MetaKeyOIFNAME), &expr.Cmp{Op: op, Register: register, Data: linkName(link)})
}

// linkName returns the name of a link as the kernel compares it.
func linkName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// fromSubnet matches packets whose source is in a subnet.
func fromSubnet(p netip.Prefix) []expr.Any {
	const sourceOffset, length = 12, 4 // of the header of IPv4
	mask := binaryutil.BigEndian.PutUint32(^uint32(0) << (32 - p.Bits()))
	network := p.Addr().As4()
	return []expr.Any{
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: sourceOffset, Len: length},
		&expr.Bitwise{SourceRegister: register, DestRegister: register, Len: length, Mask: mask, Xor: make([]byte, length)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: network[:]},
	}
}
