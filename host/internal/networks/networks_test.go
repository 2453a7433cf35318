package networks

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	long  = 30 * time.Second       // for what succeeds
	short = 300 * time.Millisecond // for what never does
)

// TestReach checks who reaches whom: containers of one network and the machine each other,
// those of another network and of an internal one nobody else.
func TestReach(t *testing.T) {
	need(t)
	lan := newLAN(t)
	m, _ := open(t, t.TempDir())
	for _, o := range []api.NetworkOptions{{Name: "web"}, {Name: "other"}, {Name: "db", Subnet: "10.77.0.0/24", Gateway: "10.77.0.9", Internal: true}} {
		if _, err := m.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	paths, addresses := map[string]string{"machine": here, "lan": lan.path}, map[string]netip.Addr{"lan": lan.address}
	ports := map[string]int{}
	var stops []func()
	for id, network := range map[string]string{"web1": "web", "web2": "web", "other1": "other", "db1": "db", "db2": "db"} {
		c := m.run(t, id, network)
		paths[id], addresses[id] = m.Path(id), c.Leases[0].Address
	}
	for id := range addresses {
		var stop func()
		ports[id], stop = serve(t, paths[id])
		stops = append(stops, stop)
	}
	for _, tt := range []struct {
		from, to string
		source   string // whose address the other end sees; empty if it is not reached
	}{
		{"web1", "web2", "web1"}, {"web2", "web1", "web2"}, {"web1", "web1", "web1"}, {"db1", "db2", "db1"},
		{"web1", "other1", ""}, {"other1", "web1", ""}, {"web1", "db1", ""}, {"db1", "web1", ""},
		{"web1", "lan", "192.0.2.2"}, {"other1", "lan", "192.0.2.2"}, {"db1", "lan", ""},
		{"machine", "web1", "gateway"}, {"machine", "db1", "10.77.0.9"}, {"lan", "db1", ""},
	} {
		timeout := long
		want := tt.source
		switch {
		case want == "":
			timeout = short
		case want == "gateway":
			want = "10.209.0.1"
		case addresses[want].IsValid():
			want = addresses[want].String()
		}
		if got, err := ask(paths[tt.from], addresses[tt.to], ports[tt.to], timeout); got != want || (err == nil) != (want != "") {
			t.Errorf("from %s to %s: got %q, %v, want %q", tt.from, tt.to, got, err, want)
		}
	}
	for _, stop := range stops {
		stop()
	}
	if err := m.Remove(t.Context(), "web"); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "network web is used by containers name-web") {
		t.Errorf("removal of a network in use: got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// lan is a machine beside this one.
type lan struct {
	path              string
	address, address6 netip.Addr
}

// newLAN connects this machine, as 192.0.2.2 and 2001:db8::2, to another one. Its default route leads there.
func newLAN(t testing.TB) lan {
	t.Helper()
	l := lan{t.TempDir() + "/lan", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	if err := pin(l.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if link, err := netlink.LinkByName("up"); err == nil {
			_ = netlink.LinkDel(link)
		}
		if err := unpin(l.path); err != nil {
			t.Error(err)
		}
	})
	ns, err := netns.GetFromPath(l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = "up", 1400
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace = "down", netlink.NsFd(ns)
	there, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	here, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	for _, end := range []struct {
		h             *netlink.Handle
		name, address string
	}{
		{here, "up", "192.0.2.2/24"}, {there, "down", "192.0.2.1/24"}, {there, "lo", "127.0.0.1/8"}, {here, "lo", "127.0.0.1/8"},
		{here, "up", "2001:db8::2/64"}, {there, "down", "2001:db8::1/64"},
	} {
		if strings.Contains(end.address, ":") && lacksIPv6() != "" {
			continue
		}
		link, err := end.h.LinkByName(end.name)
		if err != nil {
			t.Fatal(err)
		}
		address, err := netlink.ParseAddr(end.address)
		if err != nil {
			t.Fatal(err)
		}
		if err := end.h.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
		address.Flags = unix.IFA_F_NODAD
		if err := end.h.AddrReplace(link, address); err != nil {
			t.Fatal(err)
		}
	}
	up, err := netlink.LinkByName("up")
	for _, a := range []netip.Addr{l.address, l.address6} {
		if err == nil && (a.Is4() || lacksIPv6() == "") {
			err = netlink.RouteReplace(&netlink.Route{LinkIndex: up.Attrs().Index, Gw: a.AsSlice()})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestMTU gives a network packets of the size that the machine's own link takes.
func TestMTU(t *testing.T) {
	need(t)
	newLAN(t)
	m, _ := open(t, t.TempDir())
	c := m.run(t, "c", api.DefaultNetwork)
	if n, err := m.Inspect("default"); err != nil || n.MTU != 1400 || n.Containers[0].Address != c.Leases[0].Address {
		t.Errorf("got %+v, %v", n, err)
	}
	err := within(m.Path("c"), func() error {
		link, err := netlink.LinkByName("eth0")
		if err == nil && link.Attrs().MTU != 1400 {
			err = fmt.Errorf("eth0 has MTU %d", link.Attrs().MTU)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestTogether makes and removes many containers at once: no two have one address, and
// nothing is left.
func TestTogether(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	const n = 30
	var wg sync.WaitGroup
	addresses := make([]netip.Addr, n)
	for i := range n {
		wg.Go(func() {
			c, err := m.create(fmt.Sprintf("c%d", i), api.DefaultNetwork, "")
			if err == nil {
				err = m.Up(t.Context(), c)
			}
			if err != nil {
				t.Errorf("container %d: %v", i, err)
				return
			}
			addresses[i] = c.Leases[0].Address
		})
	}
	wg.Wait()
	seen := map[netip.Addr]bool{}
	for i, a := range addresses {
		if seen[a] || !a.IsValid() {
			t.Errorf("container %d has %s, as another one", i, a)
		}
		seen[a] = true
	}
	for i := range n {
		wg.Go(func() {
			if err := m.remove(fmt.Sprintf("c%d", i)); err != nil {
				t.Errorf("container %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	m.removeAll(t)
	m.checkNothing(t)
}

// TestKept keeps address and namespace over restarts of the container and of the host, and
// the address over one of the machine. What others remove, comes back.
func TestKept(t *testing.T) {
	need(t)
	dir := t.TempDir()
	m, done := open(t, dir)
	a, b := m.run(t, "a", "default"), m.run(t, "b", "default")
	n, err := m.Inspect("default")
	if err != nil {
		t.Fatal(err)
	}
	port, stop := serve(t, m.Path("b"))
	check := func(when string) {
		t.Helper()
		got, err := ask(m.Path("a"), b.Leases[0].Address, port, long)
		if want := a.Leases[0].Address.String(); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", when, got, err, want)
		}
	}
	check("at first")
	if err := m.Up(t.Context(), a); err != nil {
		t.Error(err)
	}
	check("after a restart of the container")
	done()
	bridge, err := netlink.LinkByName(n.Bridge)
	if err == nil {
		err = netlink.LinkDel(bridge)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, done = open(t, dir)
	check("after one of the host, meanwhile the bridge was removed")
	if got, err := m.Inspect("default"); err != nil || got.Bridge != n.Bridge || got.Subnet != n.Subnet {
		t.Errorf("the network was %+v and is %+v, %v", n, got, err)
	}
	done()
	if err := unpin(m.Path("a")); err != nil { // as a reboot does
		t.Fatal(err)
	}
	m, _ = open(t, dir)
	if pinned(m.Path("a")) {
		t.Error("a container that does not run has a namespace")
	}
	if err := m.Up(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	check("after one of the machine")
	stop()
	m.removeAll(t)
	m.checkNothing(t)
}

// TestFlushed makes the rules again at the next start after somebody has removed them, unless
// the host has seen that and was faster.
func TestFlushed(t *testing.T) {
	need(t)
	lan := newLAN(t)
	port, stop := serve(t, lan.path)
	defer stop()
	m, _ := open(t, t.TempDir())
	c := m.run(t, "c", "default")
	none := &Manager{store: emptyStore(t), table: m.table}
	if err := none.declareRules(); err != nil { // there are no networks in it: the table goes
		t.Fatal(err)
	}
	if err := m.Up(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(m.Path("c"), lan.address, port, long); got != "192.0.2.2" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestLostState goes on with the networks that containers have after the state was lost.
func TestLostState(t *testing.T) {
	need(t)
	dir := t.TempDir()
	m, done := open(t, dir)
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "web", Subnet: "10.77.0.0/24", Internal: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "gone"}); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	c := m.run(t, "c", "web")
	before, err := m.Inspect("web")
	if err != nil {
		t.Fatal(err)
	}
	done()
	if err := os.Remove(filepath.Join(dir, "davit.db")); err != nil {
		t.Fatal(err)
	}
	m, _ = open(t, dir)
	if !pinned(m.Path("c")) {
		t.Error("the network of a container that may run was removed")
	}
	err = m.store.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateContainer(c, []byte("{}")) })
	if err == nil {
		err = m.Up(t.Context(), c)
	}
	after, ierr := m.Inspect("web")
	if err = errors.Join(err, ierr); err != nil {
		t.Fatal(err)
	}
	if !after.CreatedAt.Equal(before.CreatedAt) || after.Subnet != before.Subnet || after.Subnet6 != before.Subnet6 || after.Subnet6.IsValid() != (lacksIPv6() == "") || after.Bridge != before.Bridge || !after.Internal || len(after.Containers) != 1 {
		t.Errorf("got %+v, want %+v", after, before)
	}
	if all, err := m.List(); len(all) != 1 || err != nil {
		t.Errorf("there are %+v, %v", all, err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

func emptyStore(t *testing.T) *store.Store {
	t.Helper()
	st, err := store.Open(t.TempDir()+"/davit.db", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}
