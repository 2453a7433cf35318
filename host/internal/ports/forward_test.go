package ports_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/ports"
	"github.com/davit-run/davit/host/publish"
	"golang.org/x/sys/unix"
)

// some returns random bytes.
func some(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBothWays sends much in both directions at once, and ends one side before the other.
func TestBothWays(t *testing.T) {
	const size = 32 << 20
	there, back := some(t, size), some(t, size)
	sums := make(chan [sha256.Size]byte, 1)
	port := serveTCP(t, func(c *net.TCPConn) {
		hash := sha256.New()
		_, _ = io.Copy(hash, c) // until the client has ended its side
		sums <- [sha256.Size]byte(hash.Sum(nil))
		_, _ = c.Write(back)
	})
	c := dial(t, open(t, t.TempDir()).hold("a", port)[0])
	if _, err := c.Write(there); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := <-sums; got != sha256.Sum256(there) {
		t.Error("what arrived in the container is not what was sent")
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, back) {
		t.Errorf("%d bytes came back, %v; want the %d that were sent", len(got), err, len(back))
	}
}

// TestHalfClose ends the container's side first.
func TestHalfClose(t *testing.T) {
	got := make(chan string, 1)
	port := serveTCP(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "bye")
		_ = c.CloseWrite()
		b, _ := io.ReadAll(c)
		got <- string(b)
	})
	c := dial(t, open(t, t.TempDir()).hold("a", port)[0])
	if b, err := io.ReadAll(c); err != nil || string(b) != "bye" {
		t.Errorf("got %q, %v", b, err)
	}
	if _, err := io.WriteString(c, "not yet"); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got := <-got; got != "not yet" {
		t.Errorf("the container got %q", got)
	}
}

// TestReset shows that a connection that is broken off is not taken for complete.
func TestReset(t *testing.T) {
	port := serveTCP(t, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "half")
		_, _ = io.ReadFull(c, make([]byte, 1))
		_ = c.SetLinger(0)
	})
	c := dial(t, open(t, t.TempDir()).hold("a", port)[0])
	if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("got %d bytes, %v; want a reset", n, err)
	}
}

// TestBackpressure shows that a container that sends to a client that does not read is held
// up.
func TestBackpressure(t *testing.T) {
	const chunk = 1 << 20
	blocked := make(chan int, 1)
	port := serveTCP(t, func(c *net.TCPConn) {
		data, sent := make([]byte, chunk), 0
		for {
			_ = c.SetWriteDeadline(time.Now().Add(time.Second))
			n, err := c.Write(data)
			if sent += n; err != nil || sent > 1<<30 {
				blocked <- sent
				return
			}
		}
	})
	c := dial(t, open(t, t.TempDir()).hold("a", port)[0])
	sent := <-blocked
	if sent > 1<<29 {
		t.Fatalf("%d bytes were sent to a client that does not read", sent)
	}
	if n, err := io.Copy(io.Discard, c); err != nil || n != int64(sent) {
		t.Errorf("got %d bytes, %v; want the %d that were sent", n, err, sent)
	}
}

// TestManyConnections has 200 clients at once, who all get what they have sent.
func TestManyConnections(t *testing.T) {
	const clients, size = 200, 256 << 10
	bound := open(t, t.TempDir()).hold("a", serveTCP(t, echo))
	var all, ready sync.WaitGroup
	ready.Add(clients)
	for range clients {
		all.Go(func() {
			c := dial(t, bound[0])
			check(t, c)
			ready.Done()
			ready.Wait() // until all are connected
			data := some(t, size)
			var sent sync.WaitGroup
			sent.Go(func() {
				_, _ = c.Write(data)
				_ = c.CloseWrite()
			})
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			sent.Wait()
		})
	}
	all.Wait()
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	_ = l.Close()
	s := open(t, t.TempDir())
	port := serveTCP(t, echo)
	port.HostIP = netip.IPv6Loopback()
	check(t, dial(t, s.hold("a", port)[0]))
	port.HostIP = netip.Addr{}
	everywhere := s.hold("b", port)[0]
	for _, address := range []string{"127.0.0.1", "127.0.0.3", "::1"} {
		everywhere.HostIP = netip.MustParseAddr(address)
		check(t, dial(t, everywhere))
	}
}

// TestSecondAddress reaches a container that listens at its address of IPv6 alone.
func TestSecondAddress(t *testing.T) {
	six := netip.IPv6Loopback()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6: ", err)
	}
	_ = l.Close()
	s := open(t, t.TempDir())
	want := ports.Want{ID: "a", Asked: []publish.Port{serveTCPAt(t, six, echo), serveUDPAt(t, six)}, Target: target, Target6: six}
	want.Record = func(_ context.Context, bound []publish.Port) error { want.Bound = bound; return nil }
	if err := s.Hold(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	check(t, dial(t, want.Bound[0]))
	c, err := net.Dial("udp", want.Bound[1].Outer())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, got := ask(t, c, "hello"); got != "hello" {
		t.Errorf("by UDP: got %q", got)
	}
	want.Target6 = netip.Addr{}
	if err := s.Hold(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if got, err := say(dial(t, want.Bound[0]), "x"); err == nil {
		t.Errorf("got %q from an address that it has not any more", got)
	}
}

// serveUDP answers every datagram at a port of the target with the sender's port and the
// datagram.
func serveUDP(t *testing.T) publish.Port {
	t.Helper()
	return serveUDPAt(t, target)
}

// serveUDPAt does what serveUDP does, at another address.
func serveUDPAt(t *testing.T, at netip.Addr) publish.Port {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			_, _ = c.WriteToUDPAddrPort(fmt.Appendf(nil, "%d %s", from.Port(), b[:n]), from)
		}
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
	return publish.Port{HostIP: local, ContainerPort: uint16(c.LocalAddr().(*net.UDPAddr).Port), Protocol: publish.UDP}
}

// ask sends a datagram, again if need be, and returns the port and the text of the answer.
func ask(t *testing.T, c net.Conn, text string) (port int, answer string) {
	t.Helper()
	b := make([]byte, 1<<16)
	for range 60 {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := c.Read(b); err == nil {
			if _, err := fmt.Sscanf(string(b[:n]), "%d %s", &port, &answer); err != nil {
				t.Fatal(err)
			}
			return port, answer
		}
	}
	t.Fatalf("no answer to %.20q", text)
	return 0, ""
}

// TestUDP has several clients, of which the container sees each as one of its own, and which
// get their answers from the address that they have asked.
func TestUDP(t *testing.T) {
	s := open(t, t.TempDir())
	port := serveUDP(t)
	port.HostIP = netip.Addr{}
	bound := s.hold("a", port)[0]
	seen := map[int]bool{}
	for _, address := range []string{"127.0.0.1", "127.0.0.3", "127.0.0.4", "::1"} {
		bound.HostIP = netip.MustParseAddr(address)
		c, err := net.Dial("udp", bound.Outer())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		first, got := ask(t, c, "hello")
		again, _ := ask(t, c, "hello")
		if got != "hello" || first != again || seen[first] {
			t.Errorf("%s: got %q, from ports %d and %d, of %v", address, got, first, again, seen)
		}
		seen[first] = true
	}
	one := s.hold("b", serveUDP(t))[0]
	c, err := net.Dial("udp", one.Outer())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	large := string(bytes.Repeat([]byte("x"), 60_000))
	if _, got := ask(t, c, large); got != large {
		t.Errorf("a datagram of %d bytes came back as one of %d", len(large), len(got))
	}
}
