package networks

import (
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forgetter forgets flows in the background, many at once: the kernel takes some 40 ms to tell
// of all that it remembers, however few there are.
type forgetter struct {
	wg sync.WaitGroup // one goroutine, while there is something to forget

	mu      sync.Mutex
	changed sync.Cond // with mu
	begun   bool
	queue   []forgotten
	now     []forgotten // what is being forgotten
}

// forgotten is what is to be forgotten.
type forgotten struct {
	family *family
	match  func(*flow) bool
	// leases are those whose addresses nobody may use before.
	leases []store.Lease
}

// has reports whether an address of a lease is one that is to be forgotten.
func (f forgotten) has(l store.Lease) bool {
	a := f.family.address(l)
	return a.IsValid() && slices.ContainsFunc(f.leases, func(gone store.Lease) bool { return f.family.address(gone) == a })
}

// forget forgets the flows of UDP of a family that match, soon.
func (m *Manager) forget(f *family, match func(*flow) bool, leases ...store.Lease) {
	m.forgetter.mu.Lock()
	defer m.forgetter.mu.Unlock()
	m.forgetter.queue = append(m.forgetter.queue, forgotten{f, match, leases})
	if !m.forgetter.begun {
		m.forgetter.begun = true
		m.forgetter.wg.Go(m.forgetAll)
	}
}

// forgetAll forgets what is queued.
func (m *Manager) forgetAll() {
	f := &m.forgetter
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) > 0 {
		f.now, f.queue = f.queue, nil
		f.mu.Unlock()
		for _, family := range families {
			m.forgetNow(family, f.now)
		}
		f.mu.Lock()
		f.now = nil
		f.changed.Broadcast()
	}
	f.begun = false
}

// awaitForgotten waits until the flows of those that had the addresses of leases before are
// forgotten.
func (m *Manager) awaitForgotten(leases []store.Lease) {
	f := &m.forgetter
	f.mu.Lock()
	defer f.mu.Unlock()
	pending := func(one forgotten) bool { return slices.ContainsFunc(leases, one.has) }
	for slices.ContainsFunc(f.queue, pending) || slices.ContainsFunc(f.now, pending) {
		f.changed.Wait()
	}
}

// forgetNow forgets the flows of a family that match one of those.
func (m *Manager) forgetNow(f *family, all []forgotten) {
	all = slices.DeleteFunc(slices.Clone(all), func(one forgotten) bool { return one.family != f })
	if len(all) == 0 {
		return
	}
	kind := netlink.InetFamily(unix.AF_INET6)
	if f.is4 {
		kind = unix.AF_INET
	}
	match := func(f *flow) bool {
		return slices.ContainsFunc(all, func(one forgotten) bool { return one.match(f) })
	}
	n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, kind, flowFilter(match))
	switch {
	case errors.Is(err, unix.ENOENT): // it has ended meanwhile
	case err != nil:
		m.logger.Debug("flows of UDP that are not right any more are not forgotten", "error", err)
	case n > 0:
		m.logger.Debug("flows of UDP are forgotten", "count", n)
	}
}

// flowFilter implements netlink.CustomConntrackFilter.
type flowFilter func(*flow) bool

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (match flowFilter) MatchConntrackFlow(c *netlink.ConntrackFlow) bool {
	if c.Forward.Protocol != unix.IPPROTO_UDP {
		return false
	}
	at := func(ip []byte, port uint16) netip.AddrPort {
		a, _ := netip.AddrFromSlice(ip)
		return netip.AddrPortFrom(a.Unmap(), port)
	}
	return match(&flow{
		from: at(c.Forward.SrcIP, c.Forward.SrcPort), asked: at(c.Forward.DstIP, c.Forward.DstPort),
		to: at(c.Reverse.SrcIP, c.Reverse.SrcPort), back: at(c.Reverse.DstIP, c.Reverse.DstPort),
	})
}
