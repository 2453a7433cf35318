package usernet

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/usernet/stage"
	"github.com/davit-run/davit/host/rigs/ownnet"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// need skips a test where a program is missing, or what runs it.
func need(t *testing.T, program string) {
	t.Helper()
	ownnet.Need(t)
	complain := t.Skipf
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		complain = t.Fatalf
	}
	if program == "" {
		return
	}
	path, err := exec.LookPath(program)
	if err != nil {
		complain("needs %s: run `make setup`", program)
	}
	dir := t.TempDir()
	if err := os.Symlink(path, filepath.Join(dir, program)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir) // and no other one
}

// outside is an address of this process's network, which has a way out.
const outside = "192.0.2.1"

// world gives this process's network an address and a default route, and returns where a server
// there says hello.
func world(t *testing.T) (at string) {
	t.Helper()
	if _, err := netlink.LinkByName("wan"); err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = "wan"
		veth := netlink.NewVeth(attrs)
		veth.PeerName = "lan"
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"lo", "lan", "wan"} {
			l, err := netlink.LinkByName(name)
			if err == nil {
				err = netlink.LinkSetUp(l)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		wan, err := netlink.LinkByName("wan")
		if err != nil {
			t.Fatal(err)
		}
		address, _ := netlink.ParseAddr(outside + "/24")
		if err := netlink.AddrAdd(wan, address); err != nil {
			t.Fatal(err)
		}
		if err := netlink.RouteAdd(&netlink.Route{LinkIndex: wan.Attrs().Index, Gw: net.ParseIP("192.0.2.2")}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", outside+":0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// pinned makes a network namespace for a test, in a user namespace of its own or not.
func pinned(t *testing.T, dir string, userns bool) (path string) {
	t.Helper()
	path = filepath.Join(dir, "netns")
	err := os.WriteFile(path, nil, 0o400)
	switch {
	case err != nil:
	case userns:
		err = Pin(path)
	default:
		err = linux.KeepNetNS(func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			return unix.Mount(linux.NetNS, path, "", unix.MS_BIND, "")
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(path, unix.MNT_DETACH) })
	return path
}

// ask returns what a server says to a client in a network namespace.
func ask(netns, at string) (answer string, err error) {
	err = linux.KeepNetNS(func() error {
		f, err := os.Open(netns)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		c, err := net.DialTimeout("tcp4", at, time.Minute)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		text, err := io.ReadAll(c)
		answer = string(text)
		return err
	})
	return answer, err
}

// manager returns a Manager, and how to close it.
func manager(t *testing.T, dir string) (*Manager, func()) {
	t.Helper()
	m := New(Options{RunDir: dir, Logger: hclog.NewNullLogger()})
	t.Cleanup(m.Close)
	return m, m.Close
}

// pid returns the helper of a container, 0 if it has none.
func (m *Manager) pid(t *testing.T, id string) int {
	t.Helper()
	p, err := recorded(filepath.Join(m.dir, id))
	if err != nil {
		t.Fatal(err)
	}
	if p == nil {
		return 0
	}
	defer p.Close()
	return p.PID
}

// stageFile is where a helper is recorded.
func (m *Manager) stageFile(id string) string { return filepath.Join(m.dir, id, stage.Record) }
