package networks

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// createMAC does what create does for a container that asks for a hardware address.
func (m *Manager) createMAC(id, network, mac string) (*store.Container, error) {
	leases, err := m.Check(context.Background(), network, "", "")
	if err == nil {
		err = m.CheckMAC(network, mac, leases)
	}
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

// macOf returns the hardware address of the first link within a namespace.
func (m *Manager) macOf(t *testing.T, id string) string {
	t.Helper()
	s, err := enter(id, m.Path(id))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	link, err := s.LinkByName(insideName(0))
	if err != nil {
		t.Fatal(err)
	}
	return link.Attrs().HardwareAddr.String()
}

// TestMAC gives containers hardware addresses, asked for and not, which last over restarts.
func TestMAC(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	const asked = "02:42:ac:11:00:02"
	c, err := m.createMAC("a", "default", strings.ToUpper(asked))
	if err == nil {
		err = m.Up(c)
	}
	if err != nil {
		t.Fatal(err)
	}
	other := m.run(t, "b", "default")
	generated := m.macOf(t, "b")
	if got := m.macOf(t, "a"); got != asked {
		t.Errorf("asked for %s: got %s", asked, got)
	}
	if want := HardwareAddress(other.Leases[0]).String(); generated != want {
		t.Errorf("not asked for: got %s, and %s is shown", generated, want)
	}
	for id, want := range map[string]string{"a": asked, "b": generated} { // as after a reboot
		if err := unpin(m.Path(id)); err != nil {
			t.Fatal(err)
		}
		c, err := m.change(id, func(*store.Tx, *store.Container) error { return nil })
		if err == nil {
			err = m.Up(c)
		}
		if got := m.macOf(t, id); got != want || err != nil {
			t.Errorf("made again: got %s, %v, before %s", got, err, want)
		}
	}
	for _, tt := range []struct{ network, mac, want string }{
		{"default", "x", "is not a MAC address"},
		{"default", "02:42:ac:11:00", "is not a MAC address"},
		{"default", "02:00:5e:10:00:00:00:01", "is not a MAC address"},
		{"default", "01:42:ac:11:00:02", "is one of a group"},
		{"default", "ff:ff:ff:ff:ff:ff", "is one of a group"},
		{"default", "00:00:00:00:00:00", "is none"},
		{"none", asked, "no network"},
		{"host", asked, "no network"},
		{"", asked, "no network"},
		{"default", asked, "is that of container name-a on network default"},
		{"default", generated, "is that of 10.209.0.3 on network default"},
		{"default", hardwareAddr(netip.MustParseAddr("10.209.0.254")).String(), "is that of 10.209.0.254 on network default"},
	} {
		if _, err := m.createMAC("c", tt.network, tt.mac); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s on %q: got %v, want %s", tt.mac, tt.network, err, tt.want)
		}
	}
	if _, err := m.createMAC("c", "default", asked); executor.CodeOf(err) != executor.AlreadyExists {
		t.Errorf("one that is taken: got %v", err)
	}
	if err := m.remove("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.createMAC("c", "default", asked); err != nil {
		t.Errorf("one that was given back: got %v", err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}
