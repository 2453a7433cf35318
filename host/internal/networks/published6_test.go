package networks

import (
	"net/netip"
	"testing"

	"github.com/davit-run/davit/host/publish"
)

// TestPublished6 publishes ports of a container with IPv6. Clients from elsewhere keep their
// address, also after others have removed the rules, and all others are served too.
func TestPublished6(t *testing.T) {
	need6(t)
	p, _ := openPublisher(t, t.TempDir())
	p.ipv6 = true
	lan := newLAN(t)
	here6 := netip.MustParseAddr("2001:db8::2")
	p.run(t, "other", "default")
	p.run(t, "web", "default")
	inner, stop := serve(t, p.Path("web"))
	stopUDP := answerUDP(t, p.Path("web"), "web", 53)
	c := p.publish("web", publish.Port{ContainerPort: uint16(inner)}, publish.Port{HostIP: here6, ContainerPort: uint16(inner)},
		publish.Port{HostIP: netip.IPv6Loopback(), ContainerPort: uint16(inner)}, publish.Port{ContainerPort: 53, Protocol: publish.UDP})
	gateway, err := p.Gateway(c)
	if err != nil {
		t.Fatal(err)
	}
	every, one, inside, udp := c.Ports[0].HostPort, c.Ports[1].HostPort, c.Ports[2].HostPort, c.Ports[3].HostPort
	check := func() {
		t.Helper()
		asks(t, lan.path, here6, every, lan.address6.String())
		asks(t, lan.path, here6, one, lan.address6.String())
		asks(t, lan.path, lanHere, every, lan.address.String())
		asks(t, here, netip.IPv6Loopback(), every, gateway.String()) // which a process passes on by IPv4
		asks(t, here, netip.IPv6Loopback(), inside, gateway.String())
		for _, id := range []string{"other", "web"} {
			asks(t, p.Path(id), here6, every, gateway.String())
		}
		if ok, err := p.rulesIntact(); !ok || err != nil {
			t.Errorf("rules are as they should be: %t, %v", ok, err)
		}
	}
	check()
	client := dialFrom(t, lan.path, "udp6", netip.AddrPortFrom(here6, udp))
	if got, err := sayUDP(client); got != "web "+lan.address6.String() || err != nil {
		t.Errorf("by UDP: got %q, %v", got, err)
	}
	p.withoutRules(t, func() {
		asks(t, lan.path, here6, every, gateway.String())
	})
	check()
	stop()
	stopUDP()
	p.end("web")
	if len(p.translations()) > 0 {
		t.Errorf("there are rules for %v", p.translations())
	}
	p.removeAll(t)
	p.checkNothing(t)
}
