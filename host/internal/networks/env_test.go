package networks

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/linux"
	"github.com/google/nftables"
	"github.com/hashicorp/go-hclog"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const own = "test"

// open opens the networks of a directory, and returns how to close them.
func open(t *testing.T, dir string) (*Manager, func()) {
	t.Helper()
	m, done, err := openDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return m, done
}

func openDir(dir string) (*Manager, func(), error) {
	st, err := store.Open(filepath.Join(dir, "davit.db"), store.Options{})
	if err != nil {
		return nil, nil, err
	}
	m, err := Open(context.Background(), Options{
		Store: st, Logger: hclog.NewNullLogger(), StateDir: dir, RunDir: dir, Enabled: true, Own: own, IPv6: true,
		Pool: []netip.Prefix{netip.MustParsePrefix("10.209.0.0/22")},
	})
	closed := false
	return m, func() {
		if !closed {
			closed = true
			if m != nil {
				m.Close()
			}
			_ = st.Close()
		}
	}, err
}

// create records a container on a network, with an address or any.
func (m *Manager) create(id, network, ip string) (*store.Container, error) {
	return m.create6(id, network, ip, "")
}

// create6 does what create does, with an address of IPv6 too.
func (m *Manager) create6(id, network, ip, ip6 string) (*store.Container, error) {
	leases, err := m.Check(context.Background(), network, ip, ip6)
	if err != nil {
		return nil, err
	}
	c := &store.Container{ID: id, Name: "name-" + id, Network: network, Leases: leases, CreatedAt: time.Now()}
	return c, m.store.Update(context.Background(), func(tx *store.Tx) error {
		if err := m.Lease(tx, c); err != nil {
			return err
		}
		return tx.CreateContainer(c, []byte("{}"))
	})
}

// join records a container that has the network of another.
func (m *Manager) join(id, other string) (*store.Container, error) {
	mode, with, err := m.Join(ocispec.NetworkContainer+other, id)
	if err != nil {
		return nil, err
	}
	c := &store.Container{ID: id, Name: "name-" + id, Network: mode, Joined: with.NetNS(), CreatedAt: time.Now()}
	return c, m.store.Update(context.Background(), func(tx *store.Tx) error {
		if err := m.Lease(tx, c); err != nil {
			return err
		}
		return tx.CreateContainer(c, []byte("{}"))
	})
}

// connect connects a container to a network in addition.
func (m *Manager) connect(id, network, ip string) (c *store.Container, err error) {
	wish, err := m.CheckConnect(context.Background(), network, ip, "")
	if err != nil {
		return nil, err
	}
	return m.change(id, func(tx *store.Tx, c *store.Container) error { return m.Connect(tx, c, wish) })
}

// disconnect disconnects a container from a network.
func (m *Manager) disconnect(id, network string) (c *store.Container, err error) {
	return m.change(id, func(tx *store.Tx, c *store.Container) error { return m.Disconnect(tx, c, network) })
}

// change records a change of a container, and makes it.
func (m *Manager) change(id string, do func(*store.Tx, *store.Container) error) (c *store.Container, err error) {
	err = m.store.Update(context.Background(), func(tx *store.Tx) error {
		if c, err = tx.Container(id); err != nil {
			return err
		}
		if err := do(tx, c); err != nil {
			return err
		}
		return tx.PutContainer(c)
	})
	if err == nil {
		err = m.Apply(c)
	}
	return c, err
}

// run records a container and makes its network.
func (m *Manager) run(t *testing.T, id, network string) *store.Container {
	t.Helper()
	c, err := m.create(id, network, "")
	if err == nil {
		err = m.Up(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// remove removes a container.
func (m *Manager) remove(id string) error {
	netns := id
	err := m.store.Update(context.Background(), func(tx *store.Tx) error {
		if c, err := tx.Container(id); err == nil {
			netns = c.NetNS()
		}
		return tx.RemoveContainer(id)
	})
	if err == nil {
		err = m.Down(netns)
	}
	return err
}

// removeAll removes all containers and networks.
func (m *Manager) removeAll(t *testing.T) {
	t.Helper()
	var all []*store.Container
	err := m.store.View(func(tx *store.Tx) (err error) {
		all, err = tx.Containers()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if err := m.remove(c.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Prune(t.Context(), api.PruneNetworksOptions{}); err != nil {
		t.Error(err)
	}
}

// checkNothing checks that nothing of the host is left on the machine.
func (m *Manager) checkNothing(t *testing.T) {
	t.Helper()
	if !wait.Holds(func() bool { return m.left() == "" }) { // the kernel takes a moment
		t.Errorf("there is left: %s", m.left())
	}
}

// left says what there is of the host on the machine.
func (m *Manager) left() string {
	var left []string
	links, err := netlink.LinkList()
	if err != nil {
		return err.Error()
	}
	for _, l := range links {
		if name := l.Attrs().Name; m.ownBridge(name) || strings.HasPrefix(name, "veth") {
			left = append(left, "link "+name)
		}
	}
	entries, _ := os.ReadDir(m.dir)
	for _, e := range entries {
		left = append(left, "namespace "+e.Name())
	}
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		if there, err := m.hasTable(family); there || err != nil {
			left = append(left, fmt.Sprint("table ", err))
		}
	}
	return strings.Join(left, ", ")
}

// within calls fn in the network namespace at a path.
func within(path string, fn func() error) error {
	return linux.KeepNetNS(func() error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		return fn()
	})
}

// serve answers each connection to a namespace with the address that it comes from, until
// stop is called, or the test ends. It keeps the namespace.
func serve(t *testing.T, path string) (port int, stop func()) {
	t.Helper()
	var l net.Listener
	err := within(path, func() (err error) {
		l, err = net.Listen("tcp", ":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	stop = func() { _ = l.Close(); <-done }
	t.Cleanup(stop)
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String())
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, stop
}

// here is the path of this process's own network namespace.
const here = "/proc/self/ns/net"

// ask connects from a namespace to an address, and returns what a server there says.
func ask(path string, a netip.Addr, port int, timeout time.Duration) (answer string, err error) {
	err = within(path, func() error {
		c, err := net.DialTimeout("tcp", netip.AddrPortFrom(a, uint16(port)).String(), timeout)
		if err != nil {
			return err
		}
		defer c.Close()
		text, err := io.ReadAll(c)
		answer = string(text)
		return err
	})
	return answer, err
}
