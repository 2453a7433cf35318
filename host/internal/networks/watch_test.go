package networks

import (
	"bytes"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/google/nftables"
	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"
)

// text is a log that is read while it is written.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// openLogged opens the networks of a directory with a log.
func openLogged(t *testing.T, dir string) (*Manager, *text) {
	t.Helper()
	st, err := store.Open(filepath.Join(dir, "davit.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	log := &text{}
	m, err := Open(t.Context(), Options{
		Store: st, Logger: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Info}), StateDir: dir, RunDir: dir, Enabled: true, Own: own,
		Pool: []netip.Prefix{netip.MustParsePrefix("10.209.0.0/22")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close(); _ = st.Close() })
	return m, log
}

// TestRemovedByOthers has another program remove what networks need. It is made again, and
// said.
func TestRemovedByOthers(t *testing.T) {
	need(t)
	m, _ := openLogged(t, t.TempDir()) // for names alone
	m.Close()
	bridge := m.bridges + "0"
	rules := func(change func(c *nftables.Conn, table *nftables.Table)) func() error {
		return func() error {
			c, err := nftables.New()
			if err == nil {
				change(c, &nftables.Table{Name: m.table, Family: nftables.TableFamilyIPv4})
				err = c.Flush()
			}
			return err
		}
	}
	for _, tt := range []struct {
		name string
		do   func() error
		said string
	}{
		{"nft flush ruleset", rules(func(c *nftables.Conn, _ *nftables.Table) { c.FlushRuleset() }), "rules of nftables in table " + m.table},
		{"nft flush table", rules(func(c *nftables.Conn, table *nftables.Table) { c.FlushTable(table) }), "rules of nftables in table"},
		{"nft flush chain", rules(func(c *nftables.Conn, table *nftables.Table) {
			c.FlushChain(&nftables.Chain{Name: "forward", Table: table})
		}), "rules of nftables in table"},
		{"ip link del of the bridge", func() error { return removeLink(bridge) }, "bridge " + bridge + " of network default"},
		{"ip link set down", func() error {
			link, err := netlink.LinkByName(bridge)
			if err == nil {
				err = netlink.LinkSetDown(link)
			}
			return err
		}, "bridge " + bridge + " of network default"},
		{"ip addr flush", func() error {
			link, err := netlink.LinkByName(bridge)
			if err != nil {
				return err
			}
			all, err := netlink.AddrList(link, netlink.FAMILY_V4)
			for _, a := range all {
				if err == nil {
					err = netlink.AddrDel(link, &a)
				}
			}
			return err
		}, "bridge " + bridge + " of network default"},
		{"ip link del of a container's link", func() error { return removeLink(LinkName("c")) }, "a link of container c"},
	} {
		// Each has a host of its own, which waits longer with each removal that it sees.
		t.Run(tt.name, func(t *testing.T) {
			m, log := openLogged(t, t.TempDir())
			c := m.run(t, "c", "default")
			port, stop := serve(t, m.Path("c"))
			defer stop()
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
			wait.Until(t, "it is said", func() bool { return strings.Contains(log.String(), tt.said) })
			wait.Until(t, "the container answers", func() bool {
				got, err := ask(here, c.Leases[0].Address, port, time.Second)
				return err == nil && got == "10.209.0.1"
			})
			if ok, err := m.rulesIntact(); !ok || err != nil {
				t.Errorf("the rules are whole: %t, %v", ok, err)
			}
			stop()
			m.removeAll(t)
			m.checkNothing(t)
		})
	}
}

// removeLink does what `ip link del` does.
func removeLink(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(link)
	}
	return err
}

// TestRemovedByTheHost: what the host removes itself is not said to be another program's.
func TestRemovedByTheHost(t *testing.T) {
	need(t)
	m, log := openLogged(t, t.TempDir())
	m.run(t, "c", "default")
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	m.run(t, "d", "web")
	m.removeAll(t)
	m.checkNothing(t)
	n, err := m.Create(t.Context(), api.NetworkOptions{Name: "last"})
	if err == nil {
		err = removeLink(n.Bridge)
	}
	if err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "all that came before is said", func() bool { return strings.Contains(log.String(), "of network last") })
	if now := strings.Count(log.String(), "another program has removed"); now != 1 {
		t.Errorf("what the host itself removes is said to be another program's:\n%s", log)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestRemovedByOthers6 does what TestRemovedByOthers does, with what IPv6 needs.
func TestRemovedByOthers6(t *testing.T) {
	need6(t)
	m, log := openLogged(t, t.TempDir())
	m.ipv6 = true
	c := m.run(t, "c", "default")
	port, stop := serve(t, m.Path("c"))
	defer stop()
	n, err := m.Inspect("default")
	if err != nil {
		t.Fatal(err)
	}
	bridge, err := netlink.LinkByName(n.Bridge)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, said string
		do         func() error
	}{
		{"ip addr del", "bridge " + n.Bridge + " of network default", func() error {
			return netlink.AddrDel(bridge, address6(n.Gateway6, n.Subnet6))
		}},
		{"ip link set down", "bridge " + n.Bridge + " of network default", func() error { return netlink.LinkSetDown(bridge) }},
		{"nft delete table ip6", "rules of nftables in table " + m.table, func() error {
			c, err := nftables.New()
			if err == nil {
				c.DelTable(&nftables.Table{Name: m.table, Family: nftables.TableFamilyIPv6})
				err = c.Flush()
			}
			return err
		}},
	} {
		before := strings.Count(log.String(), tt.said)
		if err := tt.do(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		wait.Until(t, tt.name+" is said", func() bool { return strings.Count(log.String(), tt.said) > before })
		wait.Until(t, "the container answers after "+tt.name, func() bool {
			got, err := ask(here, c.Leases[0].Address6, port, time.Second)
			return err == nil && got == n.Gateway6.String()
		})
		if ok, err := m.rulesIntact(); !ok || err != nil {
			t.Errorf("after %s: the rules are whole: %t, %v", tt.name, ok, err)
		}
	}
	stop()
	m.removeAll(t)
	m.checkNothing(t)
}
