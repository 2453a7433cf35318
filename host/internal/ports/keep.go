package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// keepTime bounds the conversation with the kernel.
const keepTime = 5 * time.Second

// keepFlows has the kernel go on with what it translates while all rules are gone, since
// somebody has flushed them, until they are made again. It does so for as long as some rule
// translates and some rule looks at connections. The ones made here do nothing else, and nobody
// can remove them: they belong to a socket, and are gone once that is closed by all who have
// it.
func keepFlows(id string) (*os.File, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close() // the file is another descriptor of it
	messages, err := keepMessages(fmt.Sprintf("davit_%s_%x", id, rand.Uint32()))
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(keepTime)); err != nil {
		return nil, err
	}
	if _, err := conn.SendMessages(messages); err != nil {
		return nil, err
	}
	for range messages[1 : len(messages)-1] { // each is acknowledged, but not what is around them
		if _, err := conn.Receive(); err != nil {
			return nil, err
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	cerr := raw.Control(func(have uintptr) { fd, err = unix.FcntlInt(have, unix.F_DUPFD_CLOEXEC, 0) })
	if cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// keepFamilies are those in which package networks translates.
var keepFamilies = []byte{unix.NFPROTO_IPV4}

// keepMessages makes tables of the socket's own, each with a chain that could translate and a
// rule that looks at the state of connections.
func keepMessages(table string) ([]netlink.Message, error) {
	around := func(kind netlink.HeaderType) netlink.Message {
		header := append([]byte{unix.AF_UNSPEC, unix.NFNETLINK_V0}, binaryutil.BigEndian.PutUint16(unix.NFNL_SUBSYS_NFTABLES)...)
		return netlink.Message{Header: netlink.Header{Type: kind, Flags: netlink.Request}, Data: header}
	}
	all := []netlink.Message{around(unix.NFNL_MSG_BATCH_BEGIN)}
	for _, family := range keepFamilies {
		messages, err := keepTable(family, table)
		if err != nil {
			return nil, err
		}
		all = append(all, messages...)
	}
	return append(all, around(unix.NFNL_MSG_BATCH_END)), nil
}

// keepTable makes the table of a family.
func keepTable(family byte, table string) (messages []netlink.Message, err error) {
	const (
		chain    = "keep"
		hook     = 0      // NF_INET_PRE_ROUTING
		priority = -100   // of what translates destinations
		owner    = 1 << 1 // NFT_TABLE_F_OWNER
		create   = netlink.Request | netlink.Acknowledge | netlink.Create
	)
	state, err := expr.Marshal(family, &expr.Ct{Register: unix.NFT_REG32_00, Key: expr.CtKeySTATE})
	if err != nil {
		return nil, err
	}
	add := func(kind uint16, flags netlink.HeaderFlags, attributes ...netlink.Attribute) {
		data, merr := netlink.MarshalAttributes(attributes)
		err = errors.Join(err, merr)
		messages = append(messages, netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: create | flags},
			Data:   append([]byte{family, unix.NFNETLINK_V0, 0, 0}, data...),
		})
	}
	nested := func(kind uint16, attributes ...netlink.Attribute) netlink.Attribute {
		data, merr := netlink.MarshalAttributes(attributes)
		err = errors.Join(err, merr)
		return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: data}
	}
	add(unix.NFT_MSG_NEWTABLE, netlink.Excl, name(unix.NFTA_TABLE_NAME, table), number(unix.NFTA_TABLE_FLAGS, owner))
	add(unix.NFT_MSG_NEWCHAIN, 0, name(unix.NFTA_CHAIN_TABLE, table), name(unix.NFTA_CHAIN_NAME, chain), name(unix.NFTA_CHAIN_TYPE, "nat"),
		nested(unix.NFTA_CHAIN_HOOK, number(unix.NFTA_HOOK_HOOKNUM, hook), number(unix.NFTA_HOOK_PRIORITY, priority)))
	add(unix.NFT_MSG_NEWRULE, netlink.Append, name(unix.NFTA_RULE_TABLE, table), name(unix.NFTA_RULE_CHAIN, chain),
		nested(unix.NFTA_RULE_EXPRESSIONS, netlink.Attribute{Type: unix.NFTA_LIST_ELEM | unix.NLA_F_NESTED, Data: state}))
	return messages, err
}

// name returns an attribute that is a text.
func name(kind uint16, text string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(text), 0)}
}

// number returns an attribute that is a number.
func number(kind uint16, n int32) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: binaryutil.BigEndian.PutUint32(uint32(n))}
}
