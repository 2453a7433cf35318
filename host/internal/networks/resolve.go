package networks

import (
	"github.com/davit-run/davit/host/internal/resolver/server"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// resolverRules is how many rules lead questions to the resolver.
const resolverRules = 2

// addResolver leads what containers send to the port of DNS at their gateways to the resolver;
// see package resolver.
func addResolver(c *nftables.Conn, table *nftables.Table, all []*store.Network) error {
	chain := c.AddChain(&nftables.Chain{
		Name: "resolver", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	bridges := &nftables.Set{Table: table, Name: "askers", Constant: true, KeyType: nftables.TypeIFName}
	gateways := &nftables.Set{Table: table, Name: "gateways", Constant: true, KeyType: nftables.TypeIPAddr}
	var names, addresses []nftables.SetElement
	for _, n := range all {
		names = append(names, nftables.SetElement{Key: linkName(n.Bridge)})
		addresses = append(addresses, nftables.SetElement{Key: n.Gateway.AsSlice()})
	}
	if err := addSet(c, bridges, names); err != nil {
		return err
	}
	if err := addSet(c, gateways, addresses); err != nil {
		return err
	}
	for _, protocol := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: concat(
			meta(expr.MetaKeyIIFNAME), among(bridges), toAddress(), among(gateways), toPort(protocol, 53), redirect(server.Port),
		)})
	}
	return nil
}

// toAddress loads where a packet goes.
func toAddress() []expr.Any {
	const offset, length = 16, 4 // of the header of IPv4
	return []expr.Any{&expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length}}
}

// toPort matches packets of a protocol to a port.
func toPort(protocol byte, port uint16) []expr.Any {
	const offset, length = 2, 2 // of the headers of UDP and TCP
	return append(meta(expr.MetaKeyL4PROTO),
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{protocol}},
		&expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
	)
}

// redirect sends packets to a port of the machine instead.
func redirect(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: register, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Redir{RegisterProtoMin: register},
	}
}
