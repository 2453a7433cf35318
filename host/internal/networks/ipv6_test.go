package networks

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/vishvananda/netlink"
)

// need6 does what need does, for IPv6.
func need6(t *testing.T) {
	t.Helper()
	need(t)
	if why := lacksIPv6(); why != "" {
		t.Skip("needs IPv6: ", why)
	}
}

// sysctl returns a setting of IPv6 of a link in the network namespace at a path.
func sysctl(t *testing.T, path, link, name string) string {
	t.Helper()
	var text []byte
	err := within(path, func() (err error) {
		text, err = os.ReadFile(filepath.Join(sysctls6, link, name))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(text))
}

// setSysctl sets a setting of IPv6 of this machine, until the test ends.
func setSysctl(t *testing.T, link, name, value string) {
	t.Helper()
	path := filepath.Join(sysctls6, link, name)
	before, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(value), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(path, before, 0) })
}

// TestReach6 checks who reaches whom by IPv6.
func TestReach6(t *testing.T) {
	need6(t)
	lan := newLAN(t)
	setSysctl(t, "all", "forwarding", "0")
	m, log := openLogged(t, t.TempDir())
	on, off := true, false
	for _, o := range []api.NetworkOptions{
		{Name: "web", IPv6: &on},
		{Name: "other", Subnet6: "fd77:1:2:3::/64", Gateway6: "fd77:1:2:3::9"},
		{Name: "db", Subnet: "10.77.0.0/24", IPv6: &on, Internal: true},
		{Name: "routed", Subnet6: "2001:db8:1::/64"},
		{Name: "old", IPv6: &off},
	} {
		if _, err := m.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	if got := sysctl(t, here, "all", "forwarding"); got != "1" || strings.Count(log.String(), "forwarding of IPv6 was off") != 1 {
		t.Errorf("forwarding is %s, and the log says:\n%s", got, log)
	}
	web, err := m.Inspect("web")
	if err != nil {
		t.Fatal(err)
	}
	if want := netip.PrefixFrom(m.ula.Addr(), 64); web.Subnet6 != want || web.Gateway6 != want.Addr().Next() {
		t.Errorf("got subnet %s with gateway %s, want %s", web.Subnet6, web.Gateway6, want)
	}
	paths, addresses := map[string]string{"machine": here, "lan": lan.path}, map[string]netip.Addr{"lan": lan.address6}
	for id, network := range map[string]string{"web1": "web", "web2": "web", "other1": "other", "db1": "db", "routed1": "routed"} {
		c := m.run(t, id, network)
		paths[id], addresses[id] = m.Path(id), c.Leases[0].Address6
	}
	old := m.run(t, "old1", "old")
	if old.Leases[0].Address6.IsValid() {
		t.Errorf("a container of a network without IPv6 has %s", old.Leases[0].Address6)
	}
	ports := map[string]int{}
	var stops []func()
	for id := range addresses {
		var stop func()
		ports[id], stop = serve(t, paths[id])
		stops = append(stops, stop)
	}
	for _, tt := range []struct{ from, to, source string }{ // source is what the other end sees; empty if it is not reached
		{"web1", "web2", "web1"}, {"web2", "web1", "web2"}, {"web1", "web1", "web1"},
		{"web1", "other1", ""}, {"routed1", "web1", ""}, {"old1", "web1", ""},
		{"web1", "lan", "2001:db8::2"}, {"other1", "lan", "2001:db8::2"}, {"db1", "lan", ""},
		{"machine", "web1", web.Gateway6.String()}, {"machine", "other1", "fd77:1:2:3::9"},
	} {
		timeout, want := long, tt.source
		switch {
		case want == "":
			timeout = short
		case addresses[want].IsValid():
			want = addresses[want].String()
		}
		if got, err := ask(paths[tt.from], addresses[tt.to], ports[tt.to], timeout); got != want || (err == nil) != (want != "") {
			t.Errorf("from %s to %s: got %q, %v, want %q", tt.from, tt.to, got, err, want)
		}
	}
	four, err := m.Inspect("old")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []api.Network{web, four} {
		if got := sysctl(t, here, n.Bridge, "accept_ra"); got != "0" {
			t.Errorf("accept_ra of the bridge of network %s is %s: a container can be its router", n.Name, got)
		}
	}
	for _, id := range []string{"web1", "old1"} {
		if got := sysctl(t, here, LinkName(id), "disable_ipv6"); got != "1" {
			t.Errorf("disable_ipv6 of the link of container %s is %s: the machine speaks to it beside its bridge", id, got)
		}
		if got := sysctl(t, m.Path(id), "eth0", "accept_ra"); got != "0" {
			t.Errorf("accept_ra of container %s is %s: another one can be its router", id, got)
		}
	}
	for _, stop := range stops {
		stop()
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestLeases6 gives addresses of IPv6 as those of IPv4: with the record, one to one container at
// a time, and the same after a restart.
func TestLeases6(t *testing.T) {
	need6(t)
	dir := t.TempDir()
	m, done := open(t, dir)
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "tiny", Subnet6: "fd77::/125"}); err != nil {
		t.Fatal(err)
	}
	off := false
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "old", IPv6: &off}); err != nil {
		t.Fatal(err)
	}
	a, err := m.create6("a", "tiny", "", "fd77::7")
	if err == nil {
		err = m.Up(a)
	}
	if err != nil || a.Leases[0].Address6 != netip.MustParseAddr("fd77::7") {
		t.Fatalf("got %+v, %v", a, err)
	}
	m.checkLinks(t, a)
	for _, tt := range []struct {
		network, ip6, want string
		code               executor.Code
	}{
		{"tiny", "fd77::7", "address fd77::7 is that of container name-a", executor.AlreadyExists},
		{"tiny", "fd77::1", "is the gateway of network tiny", executor.Invalid},
		{"tiny", "fd77::", "is none for a container", executor.Invalid},
		{"tiny", "fd78::2", "choose another one of fd77::/125", executor.Invalid},
		{"tiny", "10.209.0.5", "asked for by --ip", executor.Invalid},
		{"tiny", "::ffff:10.209.0.5", "is not an address such as", executor.Invalid},
		{"tiny", "fe80::1%eth0", "is not an address such as", executor.Invalid},
		{"tiny", "fd77::12345", "is not an address such as", executor.Invalid},
		{"old", "fd77::5", "network old has no IPv6; davit network create --ipv6", executor.Invalid},
		{"none", "fd77::5", "and no network", executor.Invalid},
	} {
		if _, err := m.create6("x", tt.network, "", tt.ip6); executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("address %s on %s: got %v, want %s", tt.ip6, tt.network, err, tt.want)
		}
	}
	for _, id := range []string{"b", "c", "d", "e", "f"} { // 2 to 6
		if _, err := m.create(id, "tiny", ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.create("g", "tiny", ""); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "its containers have all of fd77::/125") {
		t.Errorf("got %v", err)
	}
	if err := m.remove("d"); err != nil {
		t.Fatal(err)
	}
	g, err := m.create("g", "tiny", "")
	if err != nil || g.Leases[0].Address6 != netip.MustParseAddr("fd77::4") {
		t.Errorf("got %+v, %v", g, err)
	}
	j, err := m.join("j", "a")
	if err == nil {
		err = m.remove("a")
	}
	if leases, lerr := m.Leases(j); err != nil || lerr != nil || len(leases) != 1 || leases[0] != a.Leases[0] {
		t.Errorf("who has joined a that is gone has %v, %v, want %v", leases, errors.Join(err, lerr), a.Leases)
	}
	before, err := m.Inspect("tiny")
	if err != nil || len(before.Containers) != 6 || before.Containers[0].Address6 != a.Leases[0].Address6 {
		t.Errorf("got %+v, %v", before, err)
	}
	done()
	m, _ = open(t, dir)
	after, err := m.Inspect("tiny")
	if err != nil || after.Subnet6 != before.Subnet6 || after.Gateway6 != before.Gateway6 || len(after.Containers) != 6 {
		t.Errorf("the network was %+v and is %+v, %v", before, after, err)
	}
	if c, err := m.connect("g", "default", ""); err != nil || !c.Leases[1].Address6.IsValid() {
		t.Errorf("got %+v, %v", c, err)
	} else if err := m.Up(c); err != nil {
		t.Error(err)
	} else {
		m.checkLinks(t, c)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestBadNetworks6 refuses what cannot be a network of IPv6.
func TestBadNetworks6(t *testing.T) {
	need6(t)
	newLAN(t)
	m, _ := open(t, t.TempDir())
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "web", Subnet6: "fd55::/48"}); err != nil {
		t.Fatal(err)
	}
	off := false
	for _, tt := range []struct {
		opts api.NetworkOptions
		want string
	}{
		{api.NetworkOptions{Subnet6: "fd55:0:0:7::/64"}, "overlaps with network web (fd55::/48)"},
		{api.NetworkOptions{Subnet6: "2001:db8::/72"}, "overlaps with the subnet 2001:db8::/64 of this machine (up)"},
		{api.NetworkOptions{Subnet6: "fd00::1"}, "is not of the form fd12"},
		{api.NetworkOptions{Subnet6: "fd00::1/64"}, "did you mean fd00::/64?"},
		{api.NetworkOptions{Subnet6: "10.1.2.0/24"}, "is not of IPv6"},
		{api.NetworkOptions{Subnet6: "::ffff:10.1.2.0/120"}, "is not of"},
		{api.NetworkOptions{Subnet6: "fd00::/127"}, "wrong size"},
		{api.NetworkOptions{Subnet6: "::/0"}, "wrong size"},
		{api.NetworkOptions{Subnet6: "fe80::/64"}, "not one for networks"},
		{api.NetworkOptions{Subnet6: "ff02::/64"}, "not one for networks"},
		{api.NetworkOptions{Subnet6: "fd00::/64", Gateway6: "fd01::1"}, "not an address of a machine"},
		{api.NetworkOptions{Subnet6: "fd00::/64", Gateway6: "fd00::"}, "not an address of a machine"},
		{api.NetworkOptions{Gateway6: "fd00::1"}, "no subnet of IPv6"},
		{api.NetworkOptions{Subnet6: "fd00::/64", IPv6: &off}, "is to have no IPv6"},
	} {
		tt.opts.Name = "x"
		if _, err := m.Create(t.Context(), tt.opts); executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.opts, err, tt.want)
		}
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestWithoutIPv6 goes on with IPv4 on a machine that has no IPv6, or has none any more, and
// says so once.
func TestWithoutIPv6(t *testing.T) {
	need6(t)
	dir := t.TempDir()
	m, done := open(t, dir)
	c := m.run(t, "c", "default")
	done()
	setSysctl(t, "all", "disable_ipv6", "1")
	m, log := openLogged(t, dir)
	if err := m.Up(c); err != nil {
		t.Fatal(err)
	}
	port, stop := serve(t, m.Path("c"))
	if got, err := ask(here, c.Leases[0].Address, port, long); got != "10.209.0.1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	stop()
	if ok, err := m.rulesIntact(); !ok || err != nil {
		t.Errorf("the rules are whole: %t, %v", ok, err)
	}
	on := true
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "six", IPv6: &on}); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), "this machine cannot: net.ipv6.conf.all.disable_ipv6") {
		t.Errorf("got %v", err)
	}
	m.ipv6 = true
	if n, err := m.Create(t.Context(), api.NetworkOptions{Name: "four"}); err != nil || n.Subnet6.IsValid() {
		t.Errorf("got %+v, %v", n, err)
	}
	if n := strings.Count(log.String(), "networks go on with IPv4 alone"); n != 1 {
		t.Errorf("the log says it %d times:\n%s", n, log)
	}
	if err := os.WriteFile(filepath.Join(sysctls6, "all", "disable_ipv6"), []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Up(c); err != nil { // as its next start does
		t.Fatal(err)
	}
	port, stop = serve(t, m.Path("c"))
	n, err := m.Inspect("default")
	if err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the machine has its address again", func() bool {
		got, err := ask(here, c.Leases[0].Address6, port, time.Second)
		return err == nil && got == n.Gateway6.String()
	})
	stop()
	m.removeAll(t)
	m.checkNothing(t)
}

// TestContainerWithoutIPv6 starts a container again that has turned IPv6 off for itself.
func TestContainerWithoutIPv6(t *testing.T) {
	need6(t)
	m, _ := open(t, t.TempDir())
	c := m.run(t, "c", "default")
	err := within(m.Path("c"), func() error {
		return os.WriteFile(filepath.Join(sysctls6, "all", "disable_ipv6"), []byte("1"), 0)
	})
	if err == nil {
		err = m.Up(c)
	}
	if err != nil {
		t.Error(err)
	}
	if got := sysctl(t, m.Path("c"), "eth0", "disable_ipv6"); got != "1" {
		t.Errorf("disable_ipv6 is %s", got)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestSmallPackets makes no network of IPv6 where packets are too small for that.
func TestSmallPackets(t *testing.T) {
	need6(t)
	newLAN(t)
	up, err := netlink.LinkByName("up")
	if err == nil {
		err = netlink.LinkSetMTU(up, minMTU6-1)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, log := openLogged(t, t.TempDir())
	m.ipv6 = true
	if n, err := m.Create(t.Context(), api.NetworkOptions{Name: "four"}); err != nil || n.Subnet6.IsValid() || n.MTU != minMTU6-1 {
		t.Errorf("got %+v, %v", n, err)
	}
	const why = "packets have at most 1279 bytes on the link of its default route, and 1280 with IPv6"
	if !strings.Contains(log.String(), why) {
		t.Errorf("the log says:\n%s", log)
	}
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "six", Subnet6: "fd77::/64"}); executor.CodeOf(err) != executor.FailedPrecondition || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestULA is the same for one host, and another one for another.
func TestULA(t *testing.T) {
	a := ula("0123")
	if a != ula("0123") || a == ula("0124") || a != a.Masked() || a.Bits() != 48 || a.Addr().As16()[0] != 0xfd {
		t.Errorf("got %s, and %s", a, ula("0124"))
	}
}
