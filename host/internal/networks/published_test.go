package networks

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/google/nftables"
	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// publisher is a host's networks with its published ports.
type publisher struct {
	*Manager
	ports *ports.Manager
	// heldOnly leaves published ports without rules.
	heldOnly atomic.Bool
	t        testing.TB
}

// openPublisher opens networks and published ports of a directory, and returns how to close
// them.
func openPublisher(t testing.TB, dir string) (*publisher, func()) {
	t.Helper()
	p := &publisher{t: t}
	st, err := store.Open(filepath.Join(dir, "davit.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p.ports, err = ports.Open(ports.Options{RunDir: dir, Logger: hclog.NewNullLogger(), Keep: true, Changed: func() { p.Publish() }})
	if err != nil {
		t.Fatal(err)
	}
	p.Manager, err = Open(context.Background(), Options{
		Store: st, Logger: hclog.NewNullLogger(), StateDir: dir, RunDir: dir, Enabled: true, Own: own,
		Pool:   []netip.Prefix{netip.MustParsePrefix("10.209.0.0/22")},
		Serves: func(id string) bool { return !p.heldOnly.Load() && p.ports.Serves(id) },
	})
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	done := func() {
		if !closed {
			closed = true
			p.ports.Close()
			p.Close()
			_ = st.Close()
		}
	}
	t.Cleanup(done)
	return p, done
}

// publish publishes ports of a container that there is, and returns it with what was bound.
func (p *publisher) publish(id string, asked ...publish.Port) *store.Container {
	p.t.Helper()
	c, err := p.change(id, func(_ *store.Tx, c *store.Container) error {
		c.Publish, c.State = asked, store.Running
		return nil
	})
	if err == nil {
		err = p.hold(c)
	}
	if err == nil {
		c, err = p.container(id)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = p.ports.End(context.Background(), id, nil) })
	return c
}

// hold holds the ports of a container.
func (p *publisher) hold(c *store.Container) error {
	return p.ports.Hold(context.Background(), p.want(c))
}

func (p *publisher) want(c *store.Container) ports.Want {
	return ports.Want{ID: c.ID, Asked: c.Publish, Bound: c.Ports, Target: c.Leases[0].Address, Target6: c.Leases[0].Address6, Record: func(ctx context.Context, bound []publish.Port) error {
		_, err := p.change(c.ID, func(_ *store.Tx, c *store.Container) error { c.Ports = bound; return nil })
		return err
	}}
}

func (p *publisher) container(id string) (c *store.Container, err error) {
	err = p.store.View(func(tx *store.Tx) error { c, err = tx.Container(id); return err })
	return c, err
}

// end removes a container with its ports.
func (p *publisher) end(id string) {
	p.t.Helper()
	c, err := p.container(id)
	if err = errors.Join(err, p.ports.End(context.Background(), id, nil), p.remove(id)); err != nil {
		p.t.Fatal(err)
	}
	p.Forget(c.Leases)
}

// Addresses of the machine on the network outside, of which lan is another machine.
var (
	lanHere, lanSecond = netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	loopback           = netip.MustParseAddr("127.0.0.1")
)

// secondAddress gives the machine another address on the network outside.
func secondAddress(t *testing.T) {
	t.Helper()
	link, err := netlink.LinkByName("up")
	if err == nil {
		err = netlink.AddrAdd(link, &netlink.Addr{IPNet: ipNet(lanSecond, netip.PrefixFrom(lanSecond, 24))})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// soon bounds connections that can be made, on a machine that is busy with other things.
const soon = time.Minute

// asks checks who a server takes a client for that comes by an address.
func asks(t *testing.T, from string, at netip.Addr, port uint16, want string) {
	t.Helper()
	if got, err := ask(from, at, int(port), soon); got != want || err != nil {
		t.Errorf("to %s:%d: got %q, %v, want %s", at, port, got, err, want)
	}
}

// TestPublished publishes ports. Clients from elsewhere keep their address, and all others are
// served too.
func TestPublished(t *testing.T) {
	need(t)
	p, _ := openPublisher(t, t.TempDir())
	lan := newLAN(t)
	secondAddress(t)
	p.run(t, "other", "default")
	p.run(t, "web", "default")
	inner, stop := serve(t, p.Path("web"))
	c := p.publish("web", publish.Port{ContainerPort: uint16(inner)},
		publish.Port{HostIP: lanSecond, ContainerPort: uint16(inner)}, publish.Port{HostIP: loopback, ContainerPort: uint16(inner)})
	gateway, err := p.Gateway(c)
	if err != nil {
		t.Fatal(err)
	}
	every, second, inside := c.Ports[0].HostPort, c.Ports[1].HostPort, c.Ports[2].HostPort
	asks(t, lan.path, lanHere, every, lan.address.String())
	asks(t, lan.path, lanSecond, every, lan.address.String())
	asks(t, lan.path, lanSecond, second, lan.address.String())
	for _, at := range []netip.Addr{loopback, lanHere, gateway} {
		asks(t, here, at, every, gateway.String())
		if at != loopback {
			asks(t, p.Path("other"), at, every, gateway.String())
			asks(t, p.Path("web"), at, every, gateway.String())
		}
	}
	asks(t, here, loopback, inside, gateway.String())
	for _, port := range []uint16{second, inside} {
		if got, err := ask(lan.path, lanHere, int(port), soon); !errors.Is(err, unix.ECONNREFUSED) {
			t.Errorf("port %d, which is not published there: got %q, %v", port, got, err)
		}
	}
	if ok, err := p.rulesIntact(); !ok || err != nil {
		t.Errorf("rules are as they should be: %t, %v", ok, err)
	}
	// Its first network changes.
	p.network(t, "second")
	if c, err = p.connect("web", "second", ""); err == nil {
		c, err = p.change("web", func(_ *store.Tx, c *store.Container) error { slices.Reverse(c.Leases); return nil })
	}
	if err = errors.Join(err, p.hold(c)); err != nil {
		t.Fatal(err)
	}
	asks(t, lan.path, lanHere, every, lan.address.String())
	if got := p.translations()[0].to.Addr(); got != c.Leases[0].Address {
		t.Errorf("rules lead to %s, and the first address is %s", got, c.Leases[0].Address)
	}
	stop()
	p.end("web")
	if got, err := ask(lan.path, lanHere, int(every), soon); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("of one that is removed: got %q, %v", got, err)
	}
	if len(p.translations()) > 0 {
		t.Errorf("there are rules for %v", p.translations())
	}
	p.removeAll(t)
	p.checkNothing(t)
}

// network makes a network.
func (p *publisher) network(t *testing.T, name string) {
	t.Helper()
	p.changes.Lock()
	defer p.changes.Unlock()
	if err := p.make(t.Context(), &store.Network{Name: name, CreatedAt: time.Now()}, false); err != nil {
		t.Fatal(err)
	}
}

// echoIn answers each connection to a namespace with what comes, until stop is called, or the
// test ends. It keeps the namespace until the connections end too.
func echoIn(t testing.TB, path string) (port uint16, stop func()) {
	t.Helper()
	var l net.Listener
	err := within(path, func() (err error) { l, err = net.Listen("tcp4", "0.0.0.0:0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop = func() { _ = l.Close(); wg.Wait() }
	t.Cleanup(stop)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.Copy(c, c); _ = c.Close() })
		}
	})
	return uint16(l.Addr().(*net.TCPAddr).Port), stop
}

// dialFrom connects from a namespace.
func dialFrom(t testing.TB, path string, network string, to netip.AddrPort) (c net.Conn) {
	t.Helper()
	err := within(path, func() (err error) { c, err = net.DialTimeout(network, to.String(), soon); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exchange has a peer send back what it gets.
func exchange(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(soon)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// TestPublishedConnectionsLast has connections last while the rules are replaced, are flushed
// by others and made again, and the host is replaced.
func TestPublishedConnectionsLast(t *testing.T) {
	need(t)
	dir := t.TempDir()
	p, done := openPublisher(t, dir)
	lan := newLAN(t)
	p.run(t, "web", "default")
	inner, stopEcho := echoIn(t, p.Path("web"))
	whoami, stop := serve(t, p.Path("web"))
	c := p.publish("web", publish.Port{ContainerPort: inner}, publish.Port{ContainerPort: uint16(whoami)})
	at := netip.AddrPortFrom(lanHere, c.Ports[0].HostPort)
	who := c.Ports[1].HostPort
	outside := dialFrom(t, lan.path, "tcp4", at)
	held := dialFrom(t, here, "tcp4", at)
	check := func(when string) {
		t.Helper()
		if err := errors.Join(exchange(outside), exchange(held)); err != nil {
			t.Fatalf("connections break %s: %v", when, err)
		}
	}
	check("at once")
	p.changes.Lock()
	err := p.declareRules()
	p.changes.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	check("when rules are replaced")
	flush, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		flush.FlushRuleset()
		if err := flush.Flush(); err != nil {
			t.Fatal(err)
		}
		check("while all rules are gone")
		if _, err := ask(lan.path, lanHere, int(who), soon); err != nil { // its address may be lost
			t.Errorf("a connection while rules are gone: %v", err)
		}
		wait.Until(t, "the rules to be made again", func() bool {
			ok, _ := p.rulesIntact()
			return ok
		})
		check("after that")
	}
	asks(t, lan.path, lanHere, who, lan.address.String())
	done()
	check("when the host has ended")
	asks(t, lan.path, lanHere, who, lan.address.String())
	p, _ = openPublisher(t, dir)
	check("at the next host")
	asks(t, lan.path, lanHere, who, lan.address.String())
	p.ports.Keep(p.want(c))
	wait.Until(t, "the holder to be found", func() bool { return p.ports.Serves("web") })
	asks(t, lan.path, lanHere, who, lan.address.String())
	_, _ = outside.Close(), held.Close()
	stop()
	stopEcho()
	p.end("web")
	p.removeAll(t)
	p.checkNothing(t)
}

// TestPublishedBehindFirewall has another tool drop what is forwarded, and accept it again.
// Published ports are served in any case.
func TestPublishedBehindFirewall(t *testing.T) {
	need(t)
	p, _ := openPublisher(t, t.TempDir())
	lan := newLAN(t)
	p.run(t, "web", "default")
	inner, stop := serve(t, p.Path("web"))
	c := p.publish("web", publish.Port{ContainerPort: uint16(inner)})
	port := c.Ports[0].HostPort
	gateway, _ := p.Gateway(c)
	asks(t, lan.path, lanHere, port, lan.address.String())
	sees := func(when, want string) {
		t.Helper()
		wait.Until(t, when, func() bool {
			got, err := ask(lan.path, lanHere, int(port), 200*time.Millisecond)
			return err == nil && got == want
		})
	}
	drop := nftables.ChainPolicyDrop
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	table := conn.AddTable(&nftables.Table{Name: "filter", Family: nftables.TableFamilyIPv4})
	conn.AddChain(&nftables.Chain{Name: "FORWARD", Table: table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop})
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	sees("the port to be served under a firewall", gateway.String())
	conn.DelTable(table)
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	sees("the client's address to come through again", lan.address.String())
	forwarding := func(value string) {
		t.Helper()
		if err := os.WriteFile(ipv4.forwarding, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
	}
	forwarding("0")
	sees("the port to be served without forwarding", gateway.String())
	if found, err := p.Obstacles(); err != nil || len(found) != 1 || !strings.Contains(found[0].Message, "ip_forward is 0") {
		t.Errorf("without forwarding: got %v, %v", found, err)
	}
	forwarding("1")
	sees("the client's address to come through once more", lan.address.String())
	stop()
	p.end("web")
	p.removeAll(t)
	p.checkNothing(t)
}
