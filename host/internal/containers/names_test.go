package containers

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

func TestBadNames(t *testing.T) {
	web := []store.Lease{{Network: "web"}}
	for _, tt := range []struct {
		opts   api.ContainerOptions
		leases []store.Lease
		want   string // of the error; empty if it is allowed
	}{
		{api.ContainerOptions{NetworkAliases: []string{"www"}}, web, ""},
		{api.ContainerOptions{NetworkAliases: []string{"www"}}, nil, "no network on which others could find it"},
		{api.ContainerOptions{NetworkAliases: []string{"a b"}}, web, "is not allowed"},
		{api.ContainerOptions{NetworkAliases: []string{"a\n1.2.3.4 b"}}, web, "is not allowed"},
		{api.ContainerOptions{AddHosts: []string{"db:10.1.2.3", "db6:fd00::1", "db7:[fd00::2]"}}, nil, ""},
		{api.ContainerOptions{AddHosts: []string{"db"}}, nil, "is not of the form NAME:ADDRESS"},
		{api.ContainerOptions{AddHosts: []string{":10.1.2.3"}}, nil, "is not allowed"},
		{api.ContainerOptions{AddHosts: []string{"db:host"}}, nil, "is not of the form NAME:ADDRESS"},
		{api.ContainerOptions{AddHosts: []string{"db:host-gateway"}}, web, ""},
		{api.ContainerOptions{AddHosts: []string{"db:host-gateway"}}, nil, "no network is given"},
		{api.ContainerOptions{DNS: []string{"9.9.9.9", "::1"}, DNSSearch: []string{"a.example", "."}}, nil, ""},
		{api.ContainerOptions{DNS: []string{"dns.example"}}, nil, "is not an address"},
		{api.ContainerOptions{DNSSearch: []string{"a b"}}, nil, "is not allowed"},
		{api.ContainerOptions{DNS: []string{"9.9.9.9"}, Bundle: "/b"}, nil, "and a bundle"},
	} {
		_, err := namesFor(tt.opts, tt.leases)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.opts, err, tt.want)
		}
	}
}

func TestResolvConf(t *testing.T) {
	const machine = "# a machine's\nsearch home.example\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.1\nnameserver 2001:db8::53\nnameserver fe80::1%eth0\noptions edns0"
	kept, found := reachable(machine, false)
	if want := "# a machine's\nsearch home.example\nnameserver 192.0.2.1\noptions edns0"; kept != want || !found {
		t.Errorf("got %q, %v", kept, found)
	}
	if got, found := reachable(machine, true); got != "# a machine's\nsearch home.example\nnameserver 192.0.2.1\nnameserver 2001:db8::53\noptions edns0" || !found {
		t.Errorf("with IPv6: got %q, %v", got, found)
	}
	if _, found := reachable("nameserver 127.0.0.1\nnameserver fd00::1\n", false); found {
		t.Error("a loopback is a server that containers reach, or one of IPv6 without it")
	}
	for _, tt := range []struct {
		names store.Names
		want  string
	}{
		{store.Names{}, kept + "\n"},
		{store.Names{Servers: []string{"9.9.9.9", "fd00::1"}}, "# a machine's\nsearch home.example\noptions edns0\nnameserver 9.9.9.9\nnameserver fd00::1\n"},
		{store.Names{Search: []string{"a", "b"}}, "# a machine's\nnameserver 192.0.2.1\noptions edns0\nsearch a b\n"},
		{store.Names{Search: []string{"."}}, "# a machine's\nnameserver 192.0.2.1\noptions edns0\n"},
	} {
		if got := resolvConf(kept, tt.names); got != tt.want {
			t.Errorf("%+v:\ngot  %q\nwant %q", tt.names, got, tt.want)
		}
	}
}

func TestHostsLine(t *testing.T) {
	a := netip.MustParseAddr("10.1.0.2")
	for want, c := range map[string]*store.Container{
		"10.1.0.2\tweb www w 0123": {ID: "0123", Name: "web", Names: store.Names{Aliases: []string{"www", "w"}}},
		"10.1.0.2\t0123":           {ID: "0123"},
		"10.1.0.2\tweb 0123":       {ID: "0123", Name: "web", Network: "first", Names: store.Names{Aliases: []string{"www"}, Later: map[string][]string{"other": {"w"}}}},
		"10.1.0.2\tweb w 0123":     {ID: "0123", Name: "web", Network: "first", Names: store.Names{Aliases: []string{"www"}, Later: map[string][]string{"": {"w"}}}},
	} {
		if got := hostsLine(c, "", a); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
