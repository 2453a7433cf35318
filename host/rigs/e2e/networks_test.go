package e2e

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// ownNetwork gives the rest of a test, and the programs that it starts, a network of their
// own, so that hosts change none of the machine's.
func ownNetwork(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	before, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	made, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Set(before); err != nil {
			t.Error(err) // and the thread ends with the test
		} else {
			runtime.UnlockOSThread()
		}
		_ = made.Close()
		_ = before.Close()
	})
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// links returns the names of the links that hosts have made.
func links(t testing.TB) (names []string) {
	t.Helper()
	all, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Type() == "bridge" || l.Type() == "veth" {
			names = append(names, l.Attrs().Name)
		}
	}
	return names
}

// short returns the beginning of an id that is shown, and is the host name.
func short(id string) string { return id[:12] }

// get returns the host name that a web server of a container's says to this machine.
func get(address string) string {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, "80"), time.Minute) // by this thread, as no client of HTTP would
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, "GET /hostname HTTP/1.0\r\n\r\n"); err != nil {
		return ""
	}
	text, _ := io.ReadAll(conn)
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	return strings.TrimSpace(body)
}

// TestNetworks connects containers of three backends on one network, over kills and restarts.
func TestNetworks(t *testing.T) {
	need(t, debian)
	ownNetwork(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n", containerdBackend("containerd", debian, ""))
	s.must("network", "create", "web")
	ids, addresses := map[string]string{}, map[string]string{}
	backends := []string{"shim", "containerd", "process"}
	for _, backend := range backends {
		ids[backend] = s.must("run", "-d", "--name", backend, "--backend", backend, "--network", "web", "--network-alias", "the-"+backend, "--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc")
		addresses[backend] = s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", backend)
	}
	check := func(when string) {
		t.Helper()
		for _, backend := range backends {
			if got := s.must("inspect", "-f", "{{.NetworkSettings.IPAddress}}", backend); got != addresses[backend] {
				t.Errorf("%s: %s had the address %s and has %s", when, backend, addresses[backend], got)
			}
			s.waitFor(when+", the machine reaches "+backend, func() bool { return get(addresses[backend]) == short(ids[backend]) })
		}
		for from, to := range map[string]string{"shim": "containerd", "containerd": "process", "process": "shim"} {
			for _, name := range []string{addresses[to], to, "the-" + to, short(ids[to])} {
				if got := s.must("exec", from, "busybox", "wget", "-qO-", "http://"+name+"/hostname"); got != short(ids[to]) {
					t.Errorf("%s: from %s to %s: got %q", when, from, name, got)
				}
			}
		}
	}
	check("at first")
	s.must("restart", "-t", "0", "shim", "containerd", "process")
	check("after restarts")
	s.kill()
	s.start()
	s.waitBackend("shim")
	s.waitBackend("containerd")
	s.waitBackend("process")
	check("under the next host")
	if got := s.must("stats", "--no-stream", "--format", "{{.NetIO}}", "shim"); !strings.Contains(got, "B / ") || strings.HasPrefix(got, "0B") {
		t.Errorf("stats: what passed the network of a web server is %q", got)
	}

	if r := s.runRootfs("--rm", "--network", "default", "sh", "-c", "busybox timeout 1 busybox wget -qO- http://"+addresses["shim"]+"/hostname; exit $?"); r.code == 0 {
		t.Errorf("another network reaches it: %+v", r)
	}
	for network, alone := range map[string]bool{"none": true, "host": false} {
		for _, backend := range backends {
			r := s.runRootfs("--rm", "--backend", backend, "--network", network, "busybox", "ip", "-o", "link")
			if r.code != 0 || !strings.Contains(r.stdout, "lo:") || strings.Contains(r.stdout, "veth") == alone {
				t.Errorf("backend %s, network %s: %+v", backend, network, r)
			}
		}
	}
	if r := s.run("network", "rm", "web"); r.code != 1 || !strings.Contains(r.stderr, "network web is used by containers") {
		t.Errorf("removal of a network in use: %+v", r)
	}
	s.must("rename", "containerd", "renamed")
	s.must("rm", "-f", "shim")
	hosts := s.must("exec", "renamed", "cat", "/etc/hosts")
	for line, want := range map[string]bool{
		"\n" + addresses["containerd"] + "\trenamed the-containerd ": true,
		"\n" + addresses["containerd"] + "\tcontainerd ":             false,
		"\n" + addresses["shim"]:                                     false,
	} {
		if strings.Contains(hosts, line) != want {
			t.Errorf("after a rename and a removal, %q is in %q: %v, want %v", line, hosts, !want, want)
		}
	}
	s.must("rm", "-f", "renamed", "process")
	s.must("network", "prune", "-f")
	s.waitFor("no links are left", func() bool { return len(links(t)) == 0 })
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/netns")); len(left) > 0 || err != nil {
		t.Errorf("left are namespaces: %v, %v", left, err)
	}
}
