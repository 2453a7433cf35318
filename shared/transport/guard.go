package transport

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
)

// guardedConn lies between yamux and the socket. It counts what yamux would only
// complain of: a line on the host's stderr for each frame lets an executor fill a
// disk. Its second task is to hide write errors, each of which is a line too;
// closing the connection tells yamux through its reads.
type guardedConn struct {
	net.Conn
	in, out frames

	mu     sync.Mutex
	ends   map[uint32]int // of open streams: how many sides have ended them
	strays int
}

// maxStrays is how many frames without a stream, and how many streams, a peer may
// send in the life of a connection. A good one sends a handful.
const maxStrays = 100

var errStrays = errors.New("the executor floods the connection with frames of no use")

func guard(conn net.Conn) net.Conn { return &guardedConn{Conn: conn, ends: map[uint32]int{}} }

func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for at := 0; at < n; {
		used, frame, whole := c.in.next(p[at:n])
		if at += used; whole && !c.take(frame, true) {
			_ = c.Close()
			return 0, errStrays
		}
	}
	return n, err
}

func (c *guardedConn) Write(p []byte) (int, error) {
	for at := 0; at < len(p); {
		used, frame, whole := c.out.next(p[at:])
		if at += used; whole {
			c.take(frame, false)
		}
	}
	if _, err := c.Conn.Write(p); err != nil {
		_ = c.Close()
	}
	return len(p), nil
}

// What a frame's header says, in yamux's protocol.
const (
	frameData         = 0
	frameWindowUpdate = 1
	flagSYN           = 1
	flagFIN           = 4
	flagRST           = 8
	headerSize        = 12
)

type frame struct {
	kind   byte
	flags  uint16
	stream uint32
}

// take notes a frame, and reports whether the peer stays within bounds.
func (c *guardedConn) take(f frame, received bool) bool {
	if f.kind > frameWindowUpdate {
		return true // of the connection as a whole
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ends, open := c.ends[f.stream]
	if received && (!open || f.flags&flagSYN != 0) {
		c.strays++
	}
	if f.flags&flagSYN != 0 {
		c.ends[f.stream], open = 0, true
	}
	switch {
	case f.flags&flagRST != 0, open && f.flags&flagFIN != 0 && ends > 0:
		delete(c.ends, f.stream)
	case open && f.flags&flagFIN != 0:
		c.ends[f.stream]++
	}
	return c.strays <= maxStrays
}

// frames finds the headers in a stream of frames that comes in pieces.
type frames struct {
	header [headerSize]byte
	have   int
	body   uint32 // how much is left of the body
}

// next takes some of p and tells how much. If a header ends there it gives its
// frame.
func (f *frames) next(p []byte) (used int, _ frame, whole bool) {
	if f.body > 0 {
		used = int(min(uint32(min(len(p), 1<<30)), f.body))
		f.body -= uint32(used)
		return used, frame{}, false
	}
	used = copy(f.header[f.have:], p)
	if f.have += used; f.have < headerSize {
		return used, frame{}, false
	}
	f.have = 0
	got := frame{kind: f.header[1], flags: binary.BigEndian.Uint16(f.header[2:]), stream: binary.BigEndian.Uint32(f.header[4:])}
	if got.kind == frameData {
		f.body = binary.BigEndian.Uint32(f.header[8:])
	}
	return used, got, true
}
