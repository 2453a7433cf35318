package networks

import (
	"encoding/binary"
	"net/netip"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// A family is a version of IP, as rules for published ports need to know it.
type family struct {
	is4 bool
	// number is that of nftables.
	number byte
	// destination is the offset of the destination's address in a header, and length that of
	// an address, in bytes.
	destination, length uint32
	addresses           nftables.SetDatatype
	// forwarding is the file that says whether the machine forwards packets.
	forwarding string
	// address returns that of a lease, and subnet that of a network with the machine's own
	// address. They are not valid if there is none.
	address func(store.Lease) netip.Addr
	subnet  func(*store.Network) (netip.Prefix, netip.Addr)
}

var ipv4 = &family{
	is4: true, number: unix.NFPROTO_IPV4, destination: 16, length: 4, addresses: nftables.TypeIPAddr,
	forwarding: "/proc/sys/net/ipv4/ip_forward",
	address:    func(l store.Lease) netip.Addr { return l.Address },
	subnet:     func(n *store.Network) (netip.Prefix, netip.Addr) { return n.Subnet, n.Gateway },
}

var ipv6 = &family{
	number: unix.NFPROTO_IPV6, destination: 24, length: 16, addresses: nftables.TypeIP6Addr,
	forwarding: filepath.Join(sysctls6, "all", "forwarding"),
	address: func(l store.Lease) netip.Addr {
		if lacksIPv6() != "" {
			return netip.Addr{}
		}
		return l.Address6
	},
	subnet: func(n *store.Network) (netip.Prefix, netip.Addr) { return n.Subnet6, n.Gateway6 },
}

// families are those in which ports are translated.
var families = []*family{ipv4, ipv6}

// first is the first of the registers of 4 bytes, which are parts of those of 16.
const first = unix.NFT_REG32_00

const (
	// maxElements bounds the elements of a message, of which each has some 70 bytes and all
	// have to be less than 64 KiB.
	maxElements = 512
	// elementSize is more than an element adds to the messages of a transaction, in bytes,
	// and baseSize more than all else has.
	elementSize, baseSize = 128, 1 << 20
)

// connect returns a connection for a transaction that has all translations.
func connect(wanted []translation) (*nftables.Conn, error) {
	return nftables.New(nftables.WithSockOptions(func(c *netlink.Conn) error {
		return c.SetWriteBuffer(baseSize + elementSize*len(wanted))
	}))
}

// addTranslations has the kernel translate what comes to published ports from elsewhere: not
// from the machine itself, nor from its containers, whose packets would come back by the way
// on which they came.
func addTranslations(c *nftables.Conn, table *nftables.Table, f *family, all []*store.Network, wanted []translation) error {
	if len(wanted) == 0 {
		return nil
	}
	chain := c.AddChain(&nftables.Chain{
		Name: "prerouting", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	})
	inside := &nftables.Set{Table: table, Name: "inside", Constant: true, KeyType: nftables.TypeIFName}
	links := []nftables.SetElement{{Key: linkName("lo")}}
	for _, n := range all {
		links = append(links, nftables.SetElement{Key: linkName(n.Bridge)})
	}
	if err := addSet(c, inside, links); err != nil {
		return err
	}
	fromElsewhere := concat(meta(expr.MetaKeyIIFNAME),
		[]expr.Any{&expr.Lookup{SourceRegister: register, SetName: inside.Name, SetID: inside.ID, Invert: true}})
	for _, m := range f.maps(table, wanted) {
		if len(m.elements) == 0 {
			continue
		}
		if err := addSet(c, m.set, nil); err != nil {
			return err
		}
		for some := range slices.Chunk(m.elements, maxElements) {
			if err := c.SetAddElements(m.set, some); err != nil {
				return err
			}
		}
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: concat(fromElsewhere, toMachine(), m.key, f.translate(m.set))})
	}
	return nil
}

// translationRules returns how many rules addTranslations makes for translations of a family.
func translationRules(wanted []translation) (n int) {
	any, one := 0, 0
	for _, t := range wanted {
		if t.host.IsValid() {
			one = 1
		} else {
			any = 1
		}
	}
	return any + one
}

// translationMap says where packets go. key loads what is looked up in it.
type translationMap struct {
	set      *nftables.Set
	elements []nftables.SetElement
	key      []expr.Any
}

// maps returns the map for ports of single addresses of the machine, and then that for ports
// of all.
func (f *family) maps(table *nftables.Table, wanted []translation) []*translationMap {
	to := nftables.MustConcatSetType(f.addresses, nftables.TypeInetService)
	port := []nftables.SetDatatype{nftables.TypeInetProto, nftables.TypeInetService}
	newMap := func(name string, key ...nftables.SetDatatype) *nftables.Set {
		return &nftables.Set{Table: table, Name: name, IsMap: true, Concatenation: true, KeyType: nftables.MustConcatSetType(key...), DataType: to}
	}
	one := &translationMap{
		set: newMap("address_ports", append([]nftables.SetDatatype{f.addresses}, port...)...),
		key: concat([]expr.Any{&expr.Payload{DestRegister: first, Base: expr.PayloadBaseNetworkHeader, Offset: f.destination, Len: f.length}}, loadPort(first+f.length/word)),
	}
	every := &translationMap{set: newMap("ports", port...), key: loadPort(first)}
	for _, t := range wanted {
		m, key := every, t.key()
		if t.host.IsValid() {
			m, key = one, append(t.host.AsSlice(), key...)
		}
		m.elements = append(m.elements, nftables.SetElement{Key: key, Val: append(t.to.Addr().AsSlice(), padPort(t.to.Port())...)})
	}
	return []*translationMap{one, every}
}

// word is the size of a register. Each part of a key has as many as it needs.
const word = 4

// key returns the protocol and the port of a translation as they are in a map.
func (t translation) key() []byte {
	return append([]byte{t.protocol, 0, 0, 0}, padPort(t.port)...)
}

func padPort(port uint16) []byte {
	return append(binary.BigEndian.AppendUint16(nil, port), 0, 0)
}

// loadPort loads the protocol and the destination's port of a packet into two registers.
func loadPort(to uint32) []expr.Any {
	const offset, length = 2, 2 // of TCP and UDP
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: to},
		&expr.Payload{DestRegister: to + 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: length},
	}
}

// toMachine matches packets that go to an address of the machine.
func toMachine() []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: register, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}
}

// translate looks up where a packet goes, and sends it there.
func (f *family) translate(set *nftables.Set) []expr.Any {
	return []expr.Any{
		&expr.Lookup{SourceRegister: first, DestRegister: first, IsDestRegSet: true, SetName: set.Name, SetID: set.ID},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: uint32(f.number), RegAddrMin: first, RegProtoMin: first + f.length/word, Specified: true},
	}
}
