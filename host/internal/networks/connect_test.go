package networks

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/vishvananda/netlink"
)

// checkLinks checks that a container's namespace has the links of its leases, with the addresses
// of each, and no others, and one default route of each family if it leads anywhere.
func (m *Manager) checkLinks(t *testing.T, c *store.Container) {
	t.Helper()
	var want, got []string
	outside, outside6 := "", ""
	for _, l := range c.Leases {
		link := fmt.Sprintf("%s %s", insideName(l.Link), l.Address)
		if l.Address6.IsValid() {
			link += " " + l.Address6.String()
		}
		want = append(want, link)
		n, err := m.Inspect(l.Network)
		if err != nil {
			t.Error(err)
		}
		if outside == "" && !n.Internal {
			outside = n.Gateway.String()
		}
		if outside6 == "" && !n.Internal && l.Address6.IsValid() {
			outside6 = n.Gateway6.String()
		}
	}
	s, err := enter(c.NetNS(), m.Path(c.NetNS()))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	links, err := s.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if l.Type() == "veth" {
			name := l.Attrs().Name
			for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
				addresses, err := s.AddrList(l, family)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range addresses {
					if a.IP.IsGlobalUnicast() {
						name += " " + a.IP.String()
					}
				}
			}
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("container %s has the links %v, want %v", c.ID, got, want)
	}
	for family, want := range map[int]string{netlink.FAMILY_V4: outside, netlink.FAMILY_V6: outside6} {
		routes, err := s.RouteList(nil, family)
		if err != nil {
			t.Fatal(err)
		}
		via := ""
		for _, r := range routes {
			if r.Gw != nil {
				via += r.Gw.String()
			}
		}
		if via != want {
			t.Errorf("container %s has the default route %q, want %q", c.ID, via, want)
		}
	}
}

// TestConnect connects a container to networks and disconnects it again, under this host and
// the next, which makes what is only recorded.
func TestConnect(t *testing.T) {
	need(t)
	dir := t.TempDir()
	m, done := open(t, dir)
	for _, name := range []string{"web", "db"} {
		if _, err := m.Create(t.Context(), api.NetworkOptions{Name: name, Internal: name == "db"}); err != nil {
			t.Fatal(err)
		}
	}
	c := m.run(t, "c", "db")
	other := m.run(t, "other", "web")
	m.checkLinks(t, c)
	port, stop := serve(t, m.Path("other"))
	defer stop()
	if _, err := ask(m.Path("c"), other.Leases[0].Address, port, short); err == nil {
		t.Error("it reaches a network that it is not on")
	}
	c, err := m.connect("c", "web", "")
	if err != nil {
		t.Fatal(err)
	}
	m.checkLinks(t, c)
	if got, err := ask(m.Path("c"), other.Leases[0].Address, port, long); err != nil || got != c.Leases[1].Address.String() {
		t.Errorf("got %q, %v", got, err)
	}
	if c, err = m.connect("c", "default", "10.209.2.77"); err != nil || c.Leases[2].Address != netip.MustParseAddr("10.209.2.77") || c.Leases[2].Link != 2 {
		t.Fatalf("got %+v, %v", c, err)
	}
	m.checkLinks(t, c)
	if c, err = m.disconnect("c", "web"); err != nil { // which had the default route
		t.Fatal(err)
	}
	m.checkLinks(t, c)
	if _, err := ask(m.Path("c"), other.Leases[0].Address, port, short); err == nil {
		t.Error("it reaches a network from which it was disconnected")
	}

	// What an interrupted host has only recorded, the next one makes.
	wish, err := m.CheckConnect(t.Context(), "web", "", "")
	if err != nil {
		t.Fatal(err)
	}
	err = m.store.Update(t.Context(), func(tx *store.Tx) error {
		if c, err = tx.Container("c"); err == nil {
			err = errors.Join(m.Disconnect(tx, c, "db"), m.Connect(tx, c, wish))
		}
		return errors.Join(err, tx.PutContainer(c))
	})
	if err != nil {
		t.Fatal(err)
	}
	done()
	m, _ = open(t, dir)
	m.checkLinks(t, c)
	if n, err := m.Inspect("db"); err != nil || len(n.Containers) > 0 {
		t.Errorf("got %+v, %v", n, err)
	}
	if err := m.remove("c"); err != nil {
		t.Fatal(err)
	}
	stop()
	m.removeAll(t)
	m.checkNothing(t)
}

// TestConnectIsRefused refuses what cannot be connected or disconnected.
func TestConnectIsRefused(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	for _, name := range []string{"web", "db"} {
		if _, err := m.Create(t.Context(), api.NetworkOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	c := m.run(t, "c", "web")
	if _, err := m.join("joined", "c"); err != nil {
		t.Fatal(err)
	}
	for id, mode := range map[string]string{"none": ocispec.NetworkNone, "host": ocispec.NetworkHost, "bundle": "", "lost": "web"} {
		err := m.store.Update(t.Context(), func(tx *store.Tx) error {
			return tx.CreateContainer(&store.Container{ID: id, Network: mode}, []byte("{}"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ id, network, ip, want string }{
		{"c", "web", "", "container name-c is on network web"},
		{"c", "none", "", "network none is none that a container can be connected to later"},
		{"c", "host", "", "network host is none that"},
		{"c", "container:x", "", "network container:x is none that"},
		{"c", "nowhere", "", `no network "nowhere"`},
		{"c", "a b", "", "is not allowed"},
		{"c", "db", "10.1.2.3", "is none for a container on network db"},
		{"c", "db", "x", "is not an address"},
		{"none", "db", "", "container none has network none, and cannot be connected"},
		{"host", "db", "", "container host has network host, and cannot be connected"},
		{"bundle", "db", "", "has the network of its bundle, and cannot be connected"},
		{"lost", "db", "", "has lost its address"},
		{"joined", "db", "", "has the network of container c (network container:c), and cannot be connected"},
		{"nobody", "db", "", `no container "nobody"`},
	} {
		if c, err := m.connect(tt.id, tt.network, tt.ip); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("connect %s to %s: got %+v, %v\nwant %s", tt.id, tt.network, c, err, tt.want)
		}
	}
	for _, tt := range []struct{ id, network, want string }{
		{"c", "db", "container name-c is not on network db; it is on web"},
		{"c", "nowhere", `no network "nowhere"`},
		{"none", "web", "container none has network none, and cannot be disconnected"},
		{"joined", "web", "has the network of container c (network container:c), and cannot be disconnected"},
	} {
		if c, err := m.disconnect(tt.id, tt.network); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("disconnect %s from %s: got %+v, %v\nwant %s", tt.id, tt.network, c, err, tt.want)
		}
	}
	now, err := m.Leases(c)
	if err != nil || len(now) != 1 {
		t.Errorf("there are the leases %v, %v", now, err)
	}
	full := &store.Container{ID: "full", Network: "web"}
	for i := range maxLinks {
		full.Leases = append(full.Leases, store.Lease{Network: fmt.Sprint("n", i), Link: i})
	}
	if _, err := freeLink(full); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("a container on all networks that it can be on: got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}
