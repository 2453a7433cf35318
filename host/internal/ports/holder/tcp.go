package holder

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// dialTime is how long a container may take to accept a connection.
const dialTime = 10 * time.Second

// serveTCP forwards the connections that a socket gets.
func (h *holder) serveTCP(f *os.File, port uint16) (io.Closer, error) {
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err == nil {
				h.conns.Go(func() { h.forward(conn.(*net.TCPConn), port) })
			} else if !again(err) {
				return
			}
		}
	}()
	return l, nil
}

// forward joins a client with the container, until both have ended their side, or one of them
// has broken off. Each sees what the other has done: the end of a side as such, and a
// connection that is broken off or was not accepted as a reset.
func (h *holder) forward(client *net.TCPConn, port uint16) {
	d := net.Dialer{Timeout: dialTime}
	conn, err := d.Dial("tcp", h.to(port).String())
	if to, has := h.to6(port); has && errors.Is(err, unix.ECONNREFUSED) { // it may listen there alone
		conn, err = d.Dial("tcp", to.String())
	}
	if err != nil {
		reset(client)
		return
	}
	server := conn.(*net.TCPConn)
	var wg sync.WaitGroup
	wg.Go(func() { pass(client, server) })
	pass(server, client)
	wg.Wait()
	_ = client.Close()
	_ = server.Close()
}

// pass copies what one side sends to the other, in the kernel, and then its end.
func pass(to, from *net.TCPConn) {
	if _, err := to.ReadFrom(from); err != nil || to.CloseWrite() != nil {
		reset(to)
		reset(from)
	}
}

// reset closes a connection so that its other end does not take it for complete.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}
