package networks

import (
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/vishvananda/netlink"
)

// TestAskedMTU bounds the packets of a network.
func TestAskedMTU(t *testing.T) {
	need(t)
	m, _ := open(t, t.TempDir())
	n, err := m.Create(t.Context(), api.NetworkOptions{Name: "small", MTU: 1280})
	if err != nil || n.MTU != 1280 {
		t.Fatalf("got %+v, %v", n, err)
	}
	m.run(t, "c", "small")
	s, err := enter("c", m.Path("c"))
	if err != nil {
		t.Fatal(err)
	}
	inside, ierr := s.LinkByName("eth0")
	outside, oerr := netlink.LinkByName(LinkName("c"))
	bridge, berr := netlink.LinkByName(n.Bridge)
	for name, link := range map[string]struct {
		netlink.Link
		error
	}{"inside": {inside, ierr}, "outside": {outside, oerr}, "bridge": {bridge, berr}} {
		if link.error != nil || link.Attrs().MTU != 1280 {
			t.Errorf("%s: got %v, %v", name, link.Link, link.error)
		}
	}
	s.close()
	m.removeAll(t)
	m.checkNothing(t)
}
