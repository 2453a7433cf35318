package networks

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/host/rigs/ownnet"
	"github.com/vishvananda/netlink"
)

// BenchmarkPublished has a client outside of the machine reach a container: at its address,
// through a port that the kernel translates, and through one that only a holder serves. It
// measures the throughput of a download, the time of an exchange over a connection that there
// is, and that of one with a new connection. x-direct is the time per operation beside that
// of direct.
func BenchmarkPublished(b *testing.B) {
	if !ownnet.Is() {
		b.Skip("needs a network namespace of its own")
	}
	p, _ := openPublisher(b, b.TempDir())
	lan := newLAN(b)
	c, err := p.create("web", "default", "")
	if err == nil {
		err = p.Up(b.Context(), c)
	}
	if err == nil {
		err = routeFrom(lan.path, p.subnet(b), lanHere)
	}
	if err != nil {
		b.Fatal(err)
	}
	echo, stopEcho := echoIn(b, p.Path("web"))
	download, stopDownload := sendIn(b, p.Path("web"))
	c = p.publish("web", publish.Port{ContainerPort: echo}, publish.Port{ContainerPort: download})
	direct := map[string]float64{}
	for _, way := range []struct {
		name           string
		at             netip.Addr
		echo, download uint16
		translated     bool
	}{
		{"direct", c.Leases[0].Address, echo, download, true},
		{"translated", lanHere, c.Ports[0].HostPort, c.Ports[1].HostPort, true},
		{"holder", lanHere, c.Ports[0].HostPort, c.Ports[1].HostPort, false},
	} {
		p.heldOnly.Store(!way.translated)
		p.Publish()
		ratio := func(b *testing.B, what string) {
			took := float64(b.Elapsed()) / float64(b.N)
			if way.name == "direct" {
				direct[what] = took
			}
			b.ReportMetric(took/direct[what], "x-direct")
		}
		b.Run("download/"+way.name, func(b *testing.B) {
			conn := dialFrom(b, lan.path, "tcp4", netip.AddrPortFrom(way.at, way.download))
			defer conn.Close()
			b.SetBytes(chunk)
			for data := make([]byte, chunk); b.Loop(); {
				if _, err := io.ReadFull(conn, data); err != nil {
					b.Fatal(err)
				}
			}
			ratio(b, "download")
		})
		b.Run("exchange/"+way.name, func(b *testing.B) {
			conn := dialFrom(b, lan.path, "tcp4", netip.AddrPortFrom(way.at, way.echo))
			defer conn.Close()
			for b.Loop() {
				if err := exchange(conn); err != nil {
					b.Fatal(err)
				}
			}
			ratio(b, "exchange")
		})
		b.Run("connection/"+way.name, func(b *testing.B) {
			reconnect(b, lan.path, netip.AddrPortFrom(way.at, way.echo))
			ratio(b, "connection")
		})
	}
	stopEcho()
	stopDownload()
	p.end("web")
	if err := p.Remove(b.Context(), "default"); err != nil {
		b.Fatal(err)
	}
}

// reconnect makes connections from a namespace, one after the other, each for one exchange.
func reconnect(b *testing.B, path string, to netip.AddrPort) {
	b.Helper()
	err := within(path, func() error {
		for b.Loop() {
			conn, err := net.DialTimeout("tcp4", to.String(), soon)
			if err == nil {
				err = exchange(conn)
			}
			if err != nil {
				return err
			}
			_ = conn.(*net.TCPConn).SetLinger(0) // else the ports run out
			_ = conn.Close()
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// chunk is how much of a download is measured at once, in bytes.
const chunk = 1 << 20

// sendIn sends to each connection to a namespace for as long as it is read, until stop is
// called.
func sendIn(b *testing.B, path string) (port uint16, stop func()) {
	b.Helper()
	var l net.Listener
	err := within(path, func() (err error) { l, err = net.Listen("tcp4", "0.0.0.0:0"); return err })
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				for data := make([]byte, chunk); err == nil; {
					_, err = c.Write(data)
				}
				_ = c.Close()
			})
		}
	})
	return uint16(l.Addr().(*net.TCPAddr).Port), func() { _ = l.Close(); wg.Wait() }
}

// subnet returns that of the network default.
func (p *publisher) subnet(b *testing.B) (s netip.Prefix) {
	b.Helper()
	n, err := p.Inspect("default")
	if err != nil {
		b.Fatal(err)
	}
	return n.Subnet
}

// routeFrom makes a route in a namespace.
func routeFrom(path string, to netip.Prefix, via netip.Addr) error {
	return within(path, func() error {
		return netlink.RouteReplace(&netlink.Route{Dst: ipNet(to.Addr(), to), Gw: via.AsSlice()})
	})
}
