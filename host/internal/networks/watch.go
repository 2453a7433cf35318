package networks

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// gather is how long changes are gathered before what is missing is made again: a tool
	// that removes one thing often removes more. Where others remove it each time again, that
	// becomes longer and longer, up to maxGather.
	gather    = 50 * time.Millisecond
	maxGather = 30 * time.Second
)

// changes are changes of the machine's network that may be of what the records declare.
type changes struct {
	// rules means the host's table.
	rules bool
	// links has the names of bridges, and of ends of containers' links that are gone.
	links map[string]bool
	// others means what decides whether published ports can have rules: chains of others, and
	// whether the machine forwards packets.
	others bool
	// all means that changes may have been missed.
	all bool
}

// none reports whether there are no changes.
func (c *changes) none() bool { return !c.rules && !c.others && !c.all && len(c.links) == 0 }

// watcher gathers changes that the kernel tells of.
type watcher struct {
	manager *Manager
	sockets []*os.File

	mu   sync.Mutex
	seen changes
	// ring has a value once something is seen.
	ring chan struct{}
}

// watch makes again what others remove of what the records declare, until ctx ends. The kernel
// tells of it. done waits for the end.
func (m *Manager) watch(ctx context.Context) (done func(), err error) {
	w := &watcher{manager: m, ring: make(chan struct{}, 1)}
	links, err := listen(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV4_NETCONF)
	if err != nil {
		return func() {}, err
	}
	rules, err := listen(unix.NETLINK_NETFILTER, unix.NFNLGRP_NFTABLES)
	if err != nil {
		_ = links.Close()
		return func() {}, err
	}
	w.sockets = []*os.File{links, rules}
	var wg sync.WaitGroup
	wg.Go(func() { w.read(links, w.link) })
	wg.Go(func() { w.read(rules, w.rule) })
	wg.Go(func() { w.run(ctx) })
	stop := context.AfterFunc(ctx, func() {
		for _, s := range w.sockets {
			_ = s.Close()
		}
	})
	return func() { wg.Wait(); stop() }, nil
}

// listen opens a socket to which the kernel sends what groups are told.
func listen(protocol int, groups ...uint) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	address := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	for _, g := range groups {
		address.Groups |= 1 << (g - 1)
	}
	if err := unix.Bind(fd, address); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// read passes on what a socket gets, until it is closed.
func (w *watcher) read(socket *os.File, take func(syscall.NetlinkMessage)) {
	const size = 1 << 16 // of the largest message of a group
	buffer := make([]byte, size)
	for {
		n, err := socket.Read(buffer)
		var all []syscall.NetlinkMessage
		if err == nil {
			all, err = syscall.ParseNetlinkMessage(buffer[:n])
		}
		switch {
		case errors.Is(err, os.ErrClosed):
			return
		case err != nil: // mostly ENOBUFS: there were too many
			w.note(func(c *changes) { c.all = true })
			if !errors.Is(err, unix.ENOBUFS) {
				time.Sleep(gather)
			}
		}
		for _, message := range all {
			take(message)
		}
	}
}

// note adds to the changes that are seen.
func (w *watcher) note(add func(*changes)) {
	w.mu.Lock()
	add(&w.seen)
	none := w.seen.none()
	w.mu.Unlock()
	if !none {
		select {
		case w.ring <- struct{}{}:
		default:
		}
	}
}

// link notes a change of a link or an address.
func (w *watcher) link(message syscall.NetlinkMessage) {
	if message.Header.Type == unix.RTM_NEWNETCONF {
		w.configured(message)
		return
	}
	skip := unix.SizeofIfInfomsg
	if message.Header.Type == unix.RTM_NEWADDR || message.Header.Type == unix.RTM_DELADDR {
		skip = unix.SizeofIfAddrmsg
	}
	const nameType = unix.IFLA_IFNAME // the same as IFA_LABEL
	name := attribute(message.Data, skip, nameType)
	if name == "" && skip == unix.SizeofIfAddrmsg {
		name = linkOf(message.Data)
	}
	gone := message.Header.Type == unix.RTM_DELLINK
	if w.manager.ownBridge(name) || gone && strings.HasPrefix(name, linkPrefix) {
		w.note(func(c *changes) {
			if c.links == nil {
				c.links = map[string]bool{}
			}
			c.links[name] = true
		})
	}
}

// configured notes a change of what is configured for all links.
func (w *watcher) configured(message syscall.NetlinkMessage) {
	const (
		header    = 4 // a family
		linkIndex = 1
		allLinks  = "\xff\xff\xff\xff"
	)
	if attribute(message.Data, header, linkIndex) == allLinks {
		w.note(func(c *changes) { c.others = true })
	}
}

// linkOf returns the name of the link of an address, of which a message about IPv6 has only the
// index, or "".
func linkOf(data []byte) string {
	const at, size = 4, 4 // in struct ifaddrmsg
	if len(data) < at+size {
		return ""
	}
	link, err := netlink.LinkByIndex(int(binary.NativeEndian.Uint32(data[at:])))
	if err != nil {
		return "" // it has gone, which another message says
	}
	return link.Attrs().Name
}

// rule notes a change of the host's tables, or of one of others.
func (w *watcher) rule(message syscall.NetlinkMessage) {
	const (
		header    = 4 // family, version and an id
		tableType = 1 // of all messages about what belongs to a table
	)
	if message.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
		return
	}
	switch own := attribute(message.Data, header, tableType) == w.manager.table; {
	case own:
		w.note(func(c *changes) { c.rules = true })
	case slices.Contains(ruling, message.Header.Type&0xff):
		w.note(func(c *changes) { c.others = true })
	}
}

// ruling are messages about what decides over packets.
var ruling = []uint16{unix.NFT_MSG_DELTABLE, unix.NFT_MSG_NEWCHAIN, unix.NFT_MSG_DELCHAIN, unix.NFT_MSG_NEWRULE, unix.NFT_MSG_DELRULE}

// attribute returns the text of an attribute of a message, or "".
func attribute(data []byte, skip int, kind uint16) string {
	const header, align = 4, 4
	for data = data[min(skip, len(data)):]; len(data) >= header; {
		size := int(binary.NativeEndian.Uint16(data))
		if size < header || size > len(data) {
			break
		}
		if binary.NativeEndian.Uint16(data[2:])&^unix.NLA_F_NESTED == kind {
			text, _, _ := strings.Cut(string(data[header:size]), "\x00")
			return text
		}
		data = data[min((size+align-1)&^(align-1), len(data)):]
	}
	return ""
}

// run repairs what changes have removed, until ctx ends.
func (w *watcher) run(ctx context.Context) {
	pause := gather
	var last time.Time
	legacy := time.NewTicker(legacyPoll)
	defer legacy.Stop()
	for {
		select {
		case <-w.ring:
		case <-legacy.C:
			w.manager.checkLegacy()
			continue
		case <-ctx.Done():
			return
		}
		if time.Since(last) > 4*pause {
			pause = gather
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		seen := w.seen
		w.seen = changes{}
		w.mu.Unlock()
		if w.manager.repair(ctx, &seen) {
			last, pause = time.Now(), min(2*pause, maxGather)
		}
	}
}
