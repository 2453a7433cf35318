package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConnectedNetworks connects containers that run and that are stopped to more networks, on
// two backends, and disconnects them, also when the host is killed.
func TestConnectedNetworks(t *testing.T) {
	need(t, debian)
	ownNetwork(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", containerdBackend("containerd", debian, ""))
	s.must("network", "create", "web")
	s.must("network", "create", "--subnet", "10.209.1.0/24", "db")
	httpd := []string{"--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc"}
	front := s.must(append([]string{"run", "-d", "--name", "front", "--network", "web"}, httpd...)...)
	store := s.must(append([]string{"run", "-d", "--name", "store", "--backend", "containerd", "--network", "db"}, httpd...)...)
	reaches := func(when, from, name, want string) {
		t.Helper()
		s.waitFor(when+", "+from+" reaches "+name, func() bool {
			r := s.run("exec", from, "busybox", "wget", "-qO-", "http://"+name+"/hostname")
			return r.code == 0 && strings.TrimSpace(r.stdout) == short(want)
		})
	}
	if r := s.run("exec", "front", "busybox", "timeout", "1", "busybox", "wget", "-qO-", "http://"+s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "store")+"/hostname"); r.code == 0 {
		t.Errorf("front reaches store without a common network: %+v", r)
	}
	s.must("network", "connect", "--alias", "www", "db", "front")
	reaches("connected", "front", "store", store)
	reaches("connected", "store", "front", front)
	reaches("connected", "store", "www", front)
	s.must("network", "connect", "web", "store")
	s.must("restart", "-t", "0", "front")
	reaches("after a restart", "front", "store", store)
	reaches("after a restart", "store", "www", front)
	s.kill()
	s.start()
	s.waitBackend("shim")
	s.waitBackend("containerd")
	reaches("under the next host", "front", "store", store)

	s.must("network", "disconnect", "db", "store") // its first
	reaches("on web alone", "front", "store", store)
	hosts := s.must("exec", "store", "cat", "/etc/hosts")
	own := "\n" + s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "store") + "\t" + short(store)
	if !strings.Contains(hosts+"\n", own+"\n") || strings.Contains(hosts, "\n10.209.1.") {
		t.Errorf("after it was disconnected, store has the hosts\n%s\nand not %q", hosts, own)
	}
	s.must("stop", "-t", "0", "front")
	s.must("network", "disconnect", "web", "front")
	s.must("network", "connect", "db", "store")
	s.must("start", "front")
	reaches("after a change while it was stopped", "front", "store", store)
	for want, args := range map[string][]string{
		"container front is on network db":                          {"connect", "db", "front"},
		"container front is not on network web; it is on db":        {"disconnect", "web", "front"},
		`container "nobody"`:                                        {"disconnect", "db", "nobody"},
		"network host is none that a container can be connected to": {"connect", "host", "front"},
	} {
		if r := s.run(append([]string{"network"}, args...)...); r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%v: got %+v, want %s", args, r, want)
		}
	}
	if got := s.must("__completeNoDesc", "network", "connect", ""); !strings.HasPrefix(got, "db\nweb\n") {
		t.Errorf("the shell completes the network to %q", got)
	}
	if got := s.must("__completeNoDesc", "network", "connect", "db", ""); !strings.Contains(got, "front\n") || strings.Contains(got, "web\n") {
		t.Errorf("the shell completes the container to %q", got)
	}
	s.must("network", "disconnect", "-f", "web", "front")
	s.must("network", "disconnect", "-f", "db", "nobody")
	s.must("network", "disconnect", "db", "front") // its last
	if got := s.must("exec", "front", "busybox", "ip", "-o", "link"); strings.Contains(got, "eth") || !strings.Contains(got, "lo:") {
		t.Errorf("disconnected from all, front has the links\n%s", got)
	}
	if hosts := s.must("exec", "front", "cat", "/etc/hosts"); strings.Contains(hosts, "\n10.") || !strings.Contains(hosts, "\n127.0.1.1\t"+short(front)) {
		t.Errorf("disconnected from all, front has the hosts\n%s", hosts)
	}
	s.must("restart", "-t", "0", "front")
	s.must("network", "connect", "web", "front")
	reaches("connected again", "front", "store", store)
	reaches("connected again", "store", "front", front)
	s.must("rm", "-f", "front", "store")
	s.must("network", "prune", "-f")
	s.waitFor("no links are left", func() bool { return len(links(t)) == 0 })
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/netns")); len(left) > 0 || err != nil {
		t.Errorf("left are namespaces: %v, %v", left, err)
	}
}
