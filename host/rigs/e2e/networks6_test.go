package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestIPv6 has containers reach each other by IPv6, and the machine them, over kills and
// restarts.
func TestIPv6(t *testing.T) {
	need(t)
	ownNetwork(t)
	if _, err := os.Stat("/proc/sys/net/ipv6"); err != nil {
		t.Skip("no IPv6: ", err)
	}
	s := newSite(t, "network {\n  ipv6 = true\n}\n", "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	httpd := []string{"--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc"}
	ids, addresses := map[string]string{}, map[string]string{}
	for name, more := range map[string][]string{"web": {"-p", "80"}, "other": {}} {
		ids[name] = s.must(append(append([]string{"run", "-d", "--name", name, "--network", "default"}, more...), httpd...)...)
		addresses[name] = s.must("inspect", "-f", "{{.NetworkSettings.GlobalIPv6Address}}", name)
		if !strings.HasPrefix(addresses[name], "fd") {
			t.Fatalf("%s has the address %q", name, addresses[name])
		}
	}
	_, port, _ := strings.Cut(s.must("port", "web", "80"), "\n[::]:")
	check := func(when string) {
		t.Helper()
		for from, to := range map[string]string{"web": "other", "other": "web"} {
			if got := s.must("inspect", "-f", "{{.NetworkSettings.GlobalIPv6Address}}", to); got != addresses[to] {
				t.Errorf("%s: %s had the address %s and has %s", when, to, addresses[to], got)
			}
			s.waitFor(when+", the machine reaches "+to, func() bool { return get(addresses[to]) == short(ids[to]) })
			if got := s.must("exec", from, "busybox", "wget", "-qO-", "http://["+addresses[to]+"]/hostname"); got != short(ids[to]) {
				t.Errorf("%s: from %s to %s: got %q", when, from, to, got)
			}
			if hosts := s.must("exec", from, "cat", "/etc/hosts"); !strings.Contains(hosts, "\n"+addresses[to]+"\t"+to+" ") {
				t.Errorf("%s: %s does not know %s:\n%s", when, from, to, hosts)
			}
		}
		for _, at := range []string{"[::1]:", "127.0.0.1:"} {
			if !open(at + port) {
				t.Errorf("%s: nobody listens at %s%s", when, at, port)
			}
		}
	}
	check("at first")
	s.must("restart", "-t", "0", "web", "other")
	check("after restarts")
	s.kill()
	s.start()
	s.waitBackend("shim")
	check("under the next host")
	for _, tt := range []struct {
		want string
		args []string
	}{
		{"address " + addresses["web"] + " is that of container web", []string{"run", "--network", "default", "--ip6", addresses["web"], "--rootfs", rootfs, "true"}},
		{"it is asked for by --ip", []string{"run", "--network", "default", "--ip6", "10.1.2.3", "--rootfs", rootfs, "true"}},
		{"is given, and no network", []string{"run", "--network", "none", "--ip6", "fd00::2", "--rootfs", rootfs, "true"}},
		{"overlaps with network default", []string{"network", "create", "--subnet", addresses["web"][:strings.LastIndex(addresses["web"], ":")] + ":/64", "x"}},
		{"a subnet of IPv6 is given twice", []string{"network", "create", "--subnet", "fd01::/64", "--subnet", "fd02::/64", "x"}},
	} {
		if r := s.run(tt.args...); r.code == 0 || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%v: got %+v, want %s", tt.args, r, tt.want)
		}
	}
	s.must("network", "create", "--ipv6", "--internal", "db")
	s.must("network", "connect", "--ip6", s.must("network", "inspect", "-f", "{{.gateway6}}", "db")+"234", "db", "other")
	if got := s.must("run", "--rm", "--network", "container:other", "--rootfs", rootfs, "busybox", "ip", "-6", "-o", "addr", "show", "eth1"); !strings.Contains(got, "::1234/64") {
		t.Errorf("connected: got %s", got)
	}
	s.must("rm", "-f", "web", "other")
	s.must("network", "prune", "-f")
	s.waitFor("no links are left", func() bool { return len(links(t)) == 0 })
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/netns")); len(left) > 0 || err != nil {
		t.Errorf("left are namespaces: %v, %v", left, err)
	}
}
