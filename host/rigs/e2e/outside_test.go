package e2e

import (
	"crypto/rand"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Addresses on a network outside of the machine: its own, and that of another machine.
const outsideHere, outsideThere = "192.0.2.1", "192.0.2.2"

// newOutside makes a network outside of the machine. within calls a function in the namespace
// of the other machine there. It is for after [ownNetwork].
func newOutside(t *testing.T) (within func(func())) {
	t.Helper()
	here, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	there, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := netns.Set(here); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = there.Close(); _ = here.Close() })
	within = func(fn func()) {
		if err := netns.Set(there); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := netns.Set(here); err != nil {
				t.Fatal(err)
			}
		}()
		fn()
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "outside"
	link := netlink.NewVeth(attrs)
	link.PeerName, link.PeerNamespace = "there", netlink.NsFd(there)
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	up := func(name, address string) {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		link, err := h.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := netlink.ParseAddr(address + "/24")
		if err := h.AddrReplace(link, a); err != nil {
			t.Fatal(err)
		}
		if err := h.LinkSetUp(link); err != nil {
			t.Fatal(err)
		}
	}
	up("outside", outsideHere)
	within(func() { up("there", outsideThere) })
	return within
}

// client returns who a web server takes this thread's client for.
func client(at string) string {
	conn, err := net.DialTimeout("tcp4", at, time.Minute)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, "GET /cgi-bin/who HTTP/1.0\r\n\r\n"); err != nil {
		return err.Error()
	}
	text, _ := io.ReadAll(conn)
	_, body, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n\n")
	return strings.TrimPrefix(strings.Trim(strings.TrimSpace(body), "[]"), "::ffff:")
}

// TestOutside has clients of another machine. A web server sees their address, and their
// downloads go on while the host is killed and all rules are flushed.
func TestOutside(t *testing.T) {
	need(t)
	ownNetwork(t)
	within := newOutside(t)
	s := newSite(t, "default_backend = \"shim\"", "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	const clients, size = 20, 4 << 20
	file := make([]byte, size)
	if _, err := rand.Read(file); err != nil {
		t.Fatal(err)
	}
	www := t.TempDir()
	if err := os.Mkdir(filepath.Join(www, "cgi-bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"file": file, "cgi-bin/who": []byte("#!/bin/busybox sh\necho\necho $REMOTE_ADDR\n")} {
		if err := os.WriteFile(filepath.Join(www, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.must("run", "-d", "--name", "web", "-p", "8080:80", "-v", www+":/www:ro", "--rootfs", rootfs, "busybox", "httpd", "-f", "-h", "/www")
	const at = outsideHere + ":8080"
	sees := func(when string) {
		t.Helper()
		s.waitFor(when+", the server sees who its client is", func() (ok bool) {
			within(func() { ok = client(at) == outsideThere })
			return ok
		})
	}
	sees("at once")
	gateway := s.must("network", "inspect", "-f", "{{.gateway}}", "default")
	for _, from := range []string{at, "127.0.0.1:8080"} {
		if got := client(from); got != gateway {
			t.Errorf("from this machine, by %s: got %s, want %s", from, got, gateway)
		}
	}
	var downloads []*download
	within(func() {
		for range clients {
			d := fetch(t, at, "file")
			d.read(size / 8)
			downloads = append(downloads, d)
		}
	})
	more := func(n int64) {
		for _, d := range downloads {
			d.read(n)
		}
	}
	s.kill()
	more(size / 8)
	within(func() {
		if got := client(at); got != outsideThere {
			t.Errorf("without a host: got %s", got)
		}
	})
	rules, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	rules.FlushRuleset()
	if err := rules.Flush(); err != nil {
		t.Fatal(err)
	}
	more(size / 8)
	within(func() {
		if got := client(at); got != gateway {
			t.Errorf("without rules: got %s", got)
		}
	})
	s.start()
	s.waitBackend("shim")
	sees("under the next host")
	for _, d := range downloads {
		d.finish(file)
	}
	s.must("restart", "-t", "0", "web")
	sees("after a restart")
	s.must("rm", "-f", "web")
	within(func() {
		if got := client(at); !strings.Contains(got, "refused") {
			t.Errorf("after it is removed: got %s", got)
		}
	})
	s.must("network", "prune", "-f")
	s.waitFor("no rules are left", func() bool {
		all, err := rules.ListTables()
		return err == nil && len(all) == 0
	})
}
