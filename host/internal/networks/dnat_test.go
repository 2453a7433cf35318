package networks

import (
	"net/netip"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/publish"
	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// TestManyTranslations has more published ports than go into one message of netlink.
func TestManyTranslations(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	m.run(t, "c", "default")
	const containers = 4
	var wanted []translation
	for c := range containers {
		for n := range publish.Max {
			wanted = append(wanted, translation{unix.IPPROTO_TCP, netip.Addr{}, uint16(1 + c*publish.Max + n), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 209, 0, byte(2 + c)}), 80)})
		}
	}
	m.changes.Lock() // else it is repaired
	began := time.Now()
	if err := m.replaceTable(wanted); err != nil {
		m.changes.Unlock()
		t.Fatal(err)
	}
	t.Logf("%d ports: %v", len(wanted), time.Since(began))
	n, err := m.elements("ports")
	m.changes.Unlock()
	if n != len(wanted) || err != nil {
		t.Errorf("got %d of %d, %v", n, len(wanted), err)
	}
	m.removeAll(t)
	m.checkNothing(t)
}

// elements returns how many elements a set of the table has.
func (m *Manager) elements(name string) (int, error) {
	c, err := nftables.New()
	if err != nil {
		return 0, err
	}
	set, err := c.GetSetByName(&nftables.Table{Name: m.table, Family: nftables.TableFamilyIPv4}, name)
	if err != nil {
		return 0, err
	}
	all, err := c.GetSetElements(set)
	return len(all), err
}

func TestTranslations(t *testing.T) {
	a := netip.MustParseAddr
	c := &store.Container{
		Leases: []store.Lease{{Network: "web", Address: a("10.0.0.2")}},
		Ports: []publish.Port{
			{HostPort: 80, ContainerPort: 8080},
			{HostIP: a("0.0.0.0"), HostPort: 53, ContainerPort: 53, Protocol: publish.UDP},
			{HostIP: a("192.0.2.1"), HostPort: 81, ContainerPort: 8081},
			{HostIP: a("127.0.0.1"), HostPort: 82, ContainerPort: 82},
			{HostIP: a("::"), HostPort: 83, ContainerPort: 83},
			{HostIP: a("::1"), HostPort: 84, ContainerPort: 84},
		},
	}
	want := []translation{
		{unix.IPPROTO_TCP, netip.Addr{}, 80, netip.MustParseAddrPort("10.0.0.2:8080")},
		{unix.IPPROTO_UDP, netip.Addr{}, 53, netip.MustParseAddrPort("10.0.0.2:53")},
		{unix.IPPROTO_TCP, a("192.0.2.1"), 81, netip.MustParseAddrPort("10.0.0.2:8081")},
	}
	got := ipv4.translations(c)
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
}
