package networks

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// TestBadNetworks refuses what cannot be a network, before anything is made.
func TestBadNetworks(t *testing.T) {
	need(t)
	newLAN(t)
	m, _ := open(t, t.TempDir())
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "web", Subnet: "10.5.0.0/16"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		opts api.NetworkOptions
		want string
	}{
		{api.NetworkOptions{}, "network name is empty"},
		{api.NetworkOptions{Name: "host"}, "meaning of its own"},
		{api.NetworkOptions{Name: "../x"}, "is not allowed; use letters"},
		{api.NetworkOptions{Name: "b\u00fccher"}, "is not allowed; use letters"},
		{api.NetworkOptions{Name: strings.Repeat("a", 300)}, "has 300 bytes, at most 64"},
		{api.NetworkOptions{Name: "web"}, "network web exists"},
		{api.NetworkOptions{Name: "x", Subnet: "10.5.7.0/24"}, "overlaps with network web (10.5.0.0/16)"},
		{api.NetworkOptions{Name: "x", Subnet: "10.0.0.0/8"}, "overlaps with network web (10.5.0.0/16)"},
		{api.NetworkOptions{Name: "x", Subnet: "192.0.2.128/25"}, "overlaps with the subnet 192.0.2.0/24 of this machine (up)"},
		{api.NetworkOptions{Name: "x", Subnet: "10.1.2.3"}, "is not of the form 10.1.2.0/24"},
		{api.NetworkOptions{Name: "x", Subnet: "10.1.2.3/24"}, "did you mean 10.1.2.0/24?"},
		{api.NetworkOptions{Name: "x", Subnet: "10.1.2.0/31"}, "wrong size"},
		{api.NetworkOptions{Name: "x", Subnet: "0.0.0.0/0"}, "wrong size"},
		{api.NetworkOptions{Name: "x", Subnet: "fd00::/64"}, "is not of IPv4"},
		{api.NetworkOptions{Name: "x", Subnet: "127.0.0.0/16"}, "not one for networks"},
		{api.NetworkOptions{Name: "x", Subnet: "10.1.2.0/24", Gateway: "10.1.3.1"}, "not an address of a machine"},
		{api.NetworkOptions{Name: "x", Subnet: "10.1.2.0/24", Gateway: "10.1.2.255"}, "not an address of a machine"},
		{api.NetworkOptions{Name: "x", Gateway: "10.1.2.1"}, "no subnet"},
		{api.NetworkOptions{Name: "x", MTU: 67}, "MTU 67 is not possible"},
		{api.NetworkOptions{Name: "x", MTU: 65536}, "MTU 65536 is not possible"},
		{api.NetworkOptions{Name: "x", MTU: -1}, "MTU -1 is not possible"},
	} {
		if _, err := m.Create(t.Context(), tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.opts, err, tt.want)
		}
	}
	for _, tt := range []struct{ network, ip, want string }{
		{"nope", "", `no network "nope"; there are none, host, default, web`},
		{"container:x", "", "is not allowed"},
		{"web", "10.5.0.1", "is the gateway"},
		{"web", "10.5.0.0", "is none for a container"},
		{"web", "10.5.255.255", "is none for a container"},
		{"web", "10.6.0.2", "is none for a container"},
		{"web", "fd00::1", "address fd00::1 is not one such as 10.1.2.3; it is asked for by --ip6"},
		{"web", "10.5.0.300", "is not an address"},
		{"none", "10.5.0.2", "no network"},
		{"", "10.5.0.2", "no network"},
	} {
		if _, err := m.create("c", tt.network, tt.ip); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("address %q on %q: got %v, want %q", tt.ip, tt.network, err, tt.want)
		}
	}
	if _, err := m.create("c", "web", "10.5.0.7"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.create("d", "web", "10.5.0.7"); executor.CodeOf(err) != executor.AlreadyExists || !strings.Contains(err.Error(), "is that of container name-c") {
		t.Errorf("an address that is taken: got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestExhausted says so when a subnet, or the pool, has no more, and goes on once it has.
func TestExhausted(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "tiny", Subnet: "10.5.0.0/29"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		if _, err := m.create(id, "tiny", ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.create("f", "tiny", ""); err == nil || !strings.Contains(err.Error(), "its containers have all of 10.5.0.0/29") {
		t.Errorf("got %v", err)
	}
	if err := m.remove("b"); err != nil {
		t.Fatal(err)
	}
	if c, err := m.create("f", "tiny", ""); err != nil || c.Leases[0].Address != netip.MustParseAddr("10.5.0.3") {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, name := range []string{"n1", "n2", "n3", "n4"} {
		if _, err := m.Create(t.Context(), api.NetworkOptions{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "n5"}); err == nil || !strings.Contains(err.Error(), "no subnet is free in 10.209.0.0/22") {
		t.Errorf("got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// TestOff touches nothing where networks are off.
func TestOff(t *testing.T) {
	m, err := Open(t.Context(), Options{Store: emptyStore(t), RunDir: "/nonexistent"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Create(t.Context(), api.NetworkOptions{Name: "x"}); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("create: got %v", err)
	}
	if _, err := m.Check(t.Context(), "default", "", ""); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("a container: got %v", err)
	}
	for mode, want := range map[string]string{"": "", "none": "private", "host": "host"} {
		if leases, err := m.Check(t.Context(), mode, "", ""); len(leases) != 0 || err != nil || m.Namespace(mode, "c") != want {
			t.Errorf("network %q: got %v, %v, namespace %q", mode, leases, err, m.Namespace(mode, "c"))
		}
	}
}
