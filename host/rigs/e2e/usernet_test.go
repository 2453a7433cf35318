package e2e

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// wayOut gives this thread's network, which is its own, an address and a default route, and
// returns where a web server there says hello.
func wayOut(t *testing.T) (at string) {
	t.Helper()
	const address = "192.0.2.1"
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "wan"
	veth := netlink.NewVeth(attrs)
	veth.PeerName = "lan"
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	var wan netlink.Link
	for _, name := range []string{"lan", "wan"} {
		l, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
		wan = l
	}
	own, _ := netlink.ParseAddr(address + "/24")
	if err := netlink.AddrAdd(wan, own); err != nil {
		t.Fatal(err)
	}
	if err := netlink.RouteAdd(&netlink.Route{LinkIndex: wan.Attrs().Index, Gw: net.ParseIP("192.0.2.2")}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return l.Addr().String()
}

// TestUserNetwork has containers of two backends connected by a program, over the death of the
// host and restarts.
func TestUserNetwork(t *testing.T) {
	need(t, "pasta")
	ownNetwork(t)
	outside := wayOut(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n", "backend \"process\" {\n  executor = \"process\"\n}\n")
	ids, at := map[string]string{}, map[string]string{}
	backends := []string{"shim", "process"}
	for _, b := range backends {
		ids[b] = s.must("run", "-d", "--name", b, "--backend", b, "--network", "user", "-p", "127.0.0.1:0:80", "--rootfs", rootfs, "busybox", "httpd", "-f", "-p", "80", "-h", "/etc")
		at[b] = s.must("port", b, "80")
		if got := s.must("inspect", "-f", "{{.HostConfig.NetworkMode}}", b); got != "user" {
			t.Errorf("%s has network %q", b, got)
		}
	}
	check := func(when string) {
		t.Helper()
		for _, b := range backends {
			s.waitFor(when+", "+b+" reaches the world", func() bool {
				r := s.run("exec", b, "busybox", "wget", "-qO-", "http://"+outside+"/")
				return r.code == 0 && r.stdout == "hello"
			})
			fetch(t, at[b], "hostname").finish([]byte(short(ids[b]) + "\n"))
		}
	}
	check("at first")
	s.kill()
	for _, b := range backends {
		fetch(t, at[b], "hostname").finish([]byte(short(ids[b]) + "\n"))
	}
	s.start()
	for _, b := range backends {
		s.waitBackend(b)
		s.must("restart", "-t", "0", b)
		s.waitFor(b+" listens again", func() bool {
			return s.run("exec", b, "busybox", "wget", "-qO-", "http://127.0.0.1/hostname").code == 0
		})
	}
	check("under the next host")
	for want, args := range map[string][]string{
		"which it shares with nobody":                 {"run", "--rm", "--network", "container:shim", "--rootfs", rootfs, "true"},
		"all containers with network user have the s": {"run", "--rm", "--network", "user", "--ip", "10.0.2.7", "--rootfs", rootfs, "true"},
		"container shim has network user, and cannot": {"network", "connect", "default", "shim"},
		"it has a meaning of its own":                 {"network", "create", "user"},
	} {
		if r := s.run(args...); r.code == 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("davit %s: got %+v, want %q", strings.Join(args, " "), r, want)
		}
	}
	s.must("stop", "-t", "0", "shim", "process")
	if left, err := os.ReadDir(filepath.Join(s.dir, "run/usernet")); err != nil || len(left) > 0 {
		t.Errorf("of containers that have ended there are %v, %v", left, err)
	}
	s.kill()
	s.start()
	for _, b := range backends {
		s.waitBackend(b)
		s.must("start", b)
		s.waitFor(b+" listens after its end", func() bool {
			return s.run("exec", b, "busybox", "wget", "-qO-", "http://127.0.0.1/hostname").code == 0
		})
	}
	check("after an end")
	s.must("rm", "-f", "shim", "process")
	for _, dir := range []string{"run/usernet", "run/netns", "run/ports"} {
		if left, err := os.ReadDir(filepath.Join(s.dir, dir)); err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}
