package holder

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// idleTime is how long a container can answer a client that sends nothing, and the
	// other way round.
	idleTime = 90 * time.Second
	// maxClients bounds the clients of one port. What others send is dropped.
	maxClients = 4096
	// maxDatagram is larger than any datagram.
	maxDatagram = 1 << 16
)

var datagrams = sync.Pool{New: func() any { return new([maxDatagram]byte) }}

// relay forwards the datagrams of one port. Each client has a socket of its own, from which
// the container gets what it sends.
type relay struct {
	holder *holder
	conn   *net.UDPConn
	port   uint16
	// six means that the container has last refused what was sent to its address of IPv4.
	six atomic.Bool

	mu      sync.Mutex
	clients map[route]*client
}

// client is one of a relay.
type client struct {
	route
	to   netip.AddrPort
	conn *net.UDPConn
	last atomic.Int64 // when it or the container last sent something, in nanoseconds
}

// serveUDP forwards the datagrams that a socket gets.
func (h *holder) serveUDP(f *os.File, port uint16) (io.Closer, error) {
	conn, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	r := &relay{holder: h, conn: conn.(*net.UDPConn), port: port, clients: map[route]*client{}}
	if err := tellRoutes(r.conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	go r.run()
	return r, nil
}

// Close ends the relay and its clients.
func (r *relay) Close() error {
	err := r.conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.clients {
		_ = c.conn.Close()
	}
	return err
}

// run passes on what clients send.
func (r *relay) run() {
	data, oob := make([]byte, maxDatagram), make([]byte, 128)
	for {
		n, oobn, _, from, err := r.conn.ReadMsgUDPAddrPort(data, oob)
		if err != nil {
			if again(err) {
				continue
			}
			return
		}
		if c := r.client(routeOf(from, oob[:oobn])); c != nil {
			c.last.Store(time.Now().UnixNano())
			_, _ = c.conn.Write(data[:n]) // a container that does not listen may do so later
		}
	}
}

// client returns the client of a route, or nil if there can be no more.
func (r *relay) client(key route) *client {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.to()
	c := r.clients[key]
	if c != nil && c.to == to {
		return c
	}
	if c != nil {
		_ = c.conn.Close() // the container has another address now
	} else if len(r.clients) >= maxClients {
		return nil
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		delete(r.clients, key)
		return nil
	}
	c = &client{route: key, to: to, conn: conn}
	c.last.Store(time.Now().UnixNano())
	r.clients[key] = c
	go r.answer(c)
	return c
}

// to returns where what comes to the port goes.
func (r *relay) to() netip.AddrPort {
	if to, has := r.holder.to6(r.port); has && r.six.Load() {
		return to
	}
	return r.holder.to(r.port)
}

// answer passes on what the container sends to a client, until both are idle.
func (r *relay) answer(c *client) {
	defer func() {
		_ = c.conn.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.clients[c.route] == c {
			delete(r.clients, c.route)
		}
	}()
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return
	}
	for {
		deadline := time.Unix(0, c.last.Load()).Add(idleTime)
		if time.Now().After(deadline) {
			return
		}
		_ = c.conn.SetReadDeadline(deadline)
		// Only who has something to pass on needs memory for it.
		err := raw.Read(func(fd uintptr) bool {
			data := datagrams.Get().(*[maxDatagram]byte)
			defer datagrams.Put(data)
			n, err := unix.Read(int(fd), data[:])
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			if err == nil {
				c.last.Store(time.Now().UnixNano())
				_, _, _ = r.conn.WriteMsgUDPAddrPort(data[:n], c.source(), c.from)
			} else if errors.Is(err, unix.ECONNREFUSED) {
				r.six.Store(c.to.Addr().Is4()) // it may listen on the other one alone
			}
			return true // otherwise the container does not listen, or not yet
		})
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}
