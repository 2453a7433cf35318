package networks

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/publish"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// answerUDP answers each datagram to a port of a namespace with a name and the address that it
// comes from, until stop is called, or the test ends.
func answerUDP(t *testing.T, path, name string, port int) (stop func()) {
	t.Helper()
	var conn net.PacketConn
	err := within(path, func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4zero, Port: port})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for data := make([]byte, 16); ; {
			_, from, err := conn.ReadFrom(data)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(name+" "+from.(*net.UDPAddr).IP.String()), from)
		}
	})
	stop = func() { _ = conn.Close(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

// sayUDP sends a datagram and returns the answer.
func sayUDP(c net.Conn) (string, error) {
	if err := c.SetDeadline(time.Now().Add(soon)); err != nil {
		return "", err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return "", err
	}
	answer := make([]byte, 64)
	n, err := c.Read(answer)
	return string(answer[:n]), err
}

// flowsOf returns how many flows the kernel remembers that have an address.
func flowsOf(t *testing.T, a netip.Addr) (n int) {
	t.Helper()
	all, err := netlink.ConntrackTableList(netlink.ConntrackTable, unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	match := flowFilter(func(f *flow) bool { return f.has(a) })
	for _, f := range all {
		if match.MatchConntrackFlow(f) {
			n++
		}
	}
	return n
}

// TestStaleFlows has one client send datagrams from the same port all the time, while what
// publishes the port to which it sends comes, is replaced and goes.
func TestStaleFlows(t *testing.T) {
	need(t)
	const inner = 53
	dir := t.TempDir()
	p, done := openPublisher(t, dir)
	lan := newLAN(t)
	gateway := ""
	var port uint16
	begin := func(id string) (stop func()) {
		t.Helper()
		p.run(t, id, "default")
		stop = answerUDP(t, p.Path(id), id, inner)
		c := p.publish(id, publish.Port{HostPort: port, ContainerPort: inner, Protocol: publish.UDP})
		port = c.Ports[0].HostPort
		g, err := p.Gateway(c)
		if err != nil {
			t.Fatal(err)
		}
		gateway = g.String()
		return stop
	}
	stop := begin("one")
	client := dialFrom(t, lan.path, "udp4", netip.AddrPortFrom(lanHere, port))
	says := func(when, want string) {
		t.Helper()
		if got, err := sayUDP(client); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", when, got, err, want)
		}
	}
	says("at once", "one "+lan.address.String())
	p.withoutRules(t, func() { says("without rules", "one "+gateway) })
	says("with rules again", "one "+lan.address.String())
	one, _ := p.container("one")
	address := one.Leases[0].Address
	stop()
	p.end("one")
	if n := flowsOf(t, address); n != 0 {
		t.Errorf("%d flows are left of an address that nobody has", n)
	}
	stop = begin("two")
	says("to the next container", "two "+lan.address.String())

	// The next host finds what has changed without it.
	two, _ := p.container("two")
	stop()
	done()
	p, _ = openPublisher(t, dir)
	if n := flowsOf(t, two.Leases[0].Address); n == 0 {
		t.Error("a flow is forgotten for a new host")
	}
	p.Close()
	if _, err := p.change("two", func(_ *store.Tx, c *store.Container) error { c.State = store.Released; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := p.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := flowsOf(t, two.Leases[0].Address); n != 0 {
		t.Errorf("%d flows lead to a container whose port is not published any more", n)
	}
	p.end("two")
	p.removeAll(t)
	p.checkNothing(t)
}

// withoutRules calls fn while published ports have no rules.
func (p *publisher) withoutRules(t *testing.T, fn func()) {
	t.Helper()
	p.heldOnly.Store(true)
	p.Publish()
	fn()
	p.heldOnly.Store(false)
	p.Publish()
}

func TestFlowMatches(t *testing.T) {
	at := netip.MustParseAddrPort
	all := translation{unix.IPPROTO_UDP, netip.Addr{}, 53, at("10.0.0.2:53")}
	one := translation{unix.IPPROTO_UDP, netip.MustParseAddr("192.0.2.2"), 53, at("10.0.0.2:53")}
	translated := &flow{at("192.0.2.1:9"), at("192.0.2.2:53"), at("10.0.0.2:53"), at("192.0.2.1:9")}
	held := &flow{at("192.0.2.1:9"), at("192.0.2.2:53"), at("192.0.2.2:53"), at("192.0.2.1:9")}
	second := &flow{at("192.0.2.1:9"), at("192.0.2.3:53"), at("192.0.2.3:53"), at("192.0.2.1:9")}
	direct := &flow{at("10.0.0.1:9"), at("10.0.0.2:53"), at("10.0.0.2:53"), at("10.0.0.1:9")}
	for _, tt := range []struct {
		name       string
		flow       *flow
		by, belong []translation
	}{
		{"translated", translated, []translation{all, one}, nil},
		{"held", held, nil, []translation{all, one}},
		{"held on another address", second, nil, []translation{all}},
		{"to the container itself", direct, nil, nil},
	} {
		for _, tr := range []translation{all, one} {
			if got := tt.flow.translatedBy(tr); got != slices.Contains(tt.by, tr) {
				t.Errorf("%s: by %v: got %t", tt.name, tr, got)
			}
			if got := tt.flow.belongsTo(tr); got != slices.Contains(tt.belong, tr) {
				t.Errorf("%s: belongs to %v: got %t", tt.name, tr, got)
			}
		}
	}
}
