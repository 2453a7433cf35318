package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// guardedConn lies between yamux and the socket. It cuts a connection whose peer breaks
// the protocol or floods it with frames of no use, and hides all errors: yamux can only
// log them, with raw lines on the stderr of the program, by which an executor could fill
// a disk. When the connection is closed, yamux learns it from its reads.
type guardedConn struct {
	net.Conn
	in, out frames

	mu      sync.Mutex
	streams map[uint32]*muxStream // that are open
	strays  int
	why     error // it was cut
}

// muxStream is a stream of yamux.
type muxStream struct {
	ended, peerEnded bool
	room             int64 // how much the peer may send
}

const (
	// maxStrays is how many frames without a stream, and how many streams, a peer may
	// send in the life of a connection. A correct peer sends a handful.
	maxStrays = 100
	// muxWindow is how much a peer may send on a stream that nobody reads from, and
	// maxFrames the number of kinds of frames, in yamux's protocol.
	muxWindow = 256 << 10
	maxFrames = 4
)

var (
	errStrays = errors.New("the peer floods the connection with frames of no use")
	// errHungUp is an error that yamux does not log, because of its last word.
	errHungUp = errors.New("connection closed")
)

func guard(conn net.Conn) *guardedConn {
	return &guardedConn{Conn: conn, streams: map[uint32]*muxStream{}}
}

// Read implements net.Conn.
func (c *guardedConn) Read(p []byte) (int, error) {
	inBody := c.in.body > 0
	n, err := c.Conn.Read(p)
	for at := 0; at < n; {
		used, frame, whole := c.in.next(p[at:n])
		if at += used; !whole {
			continue
		}
		if why := c.take(frame, true); why != nil {
			c.cut(why)
			return 0, hungUp(inBody)
		}
	}
	if n == 0 && err != nil {
		return 0, hungUp(inBody)
	}
	return n, nil
}

// hungUp returns the error that yamux does not log.
func hungUp(inBody bool) error {
	if inBody {
		return io.EOF
	}
	return errHungUp
}

// Write implements net.Conn.
func (c *guardedConn) Write(p []byte) (int, error) {
	for at := 0; at < len(p); {
		used, frame, whole := c.out.next(p[at:])
		if at += used; whole {
			_ = c.take(frame, false)
		}
	}
	if _, err := c.Conn.Write(p); err != nil {
		_ = c.Close()
	}
	return len(p), nil
}

func (c *guardedConn) cut(why error) {
	c.mu.Lock()
	c.why = why
	c.mu.Unlock()
	_ = c.Close()
}

// reason returns why the connection was cut, or nil.
func (c *guardedConn) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// Values in a frame's header, in yamux's protocol.
const (
	frameData         = 0
	frameWindowUpdate = 1
	frameGoAway       = 3
	flagSYN           = 1
	flagFIN           = 4
	flagRST           = 8
	headerSize        = 12
)

type frame struct {
	version, kind byte
	flags         uint16
	stream        uint32
	length        uint32
}

// take counts a frame. The error says how the peer breaks the protocol.
func (c *guardedConn) take(f frame, received bool) error {
	switch {
	case received && (f.version != 0 || f.kind >= maxFrames):
		return fmt.Errorf("the peer does not speak yamux: a frame has version %d and type %d", f.version, f.kind)
	case f.kind == frameGoAway && received && f.length != 0:
		return fmt.Errorf("the peer goes away because of error %d in the protocol", f.length)
	case f.kind > frameWindowUpdate:
		return nil // of the connection as a whole
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[f.stream]
	if received && (s == nil || f.flags&flagSYN != 0) {
		if c.strays++; c.strays > maxStrays {
			return errStrays
		}
	}
	if f.flags&flagSYN != 0 {
		if s != nil && received {
			return fmt.Errorf("the peer opens stream %d twice", f.stream)
		}
		s = &muxStream{room: muxWindow}
		c.streams[f.stream] = s
	}
	if s == nil {
		return nil
	}
	switch {
	case received && f.kind == frameData:
		if s.room -= int64(f.length); s.room < 0 {
			return fmt.Errorf("the peer sends more on stream %d than it may", f.stream)
		}
	case !received && f.kind == frameWindowUpdate:
		s.room += int64(f.length)
	}
	return c.end(s, f, received)
}

// end notes that a side has ended a stream.
func (c *guardedConn) end(s *muxStream, f frame, received bool) error {
	if f.flags&flagFIN != 0 {
		if received && s.peerEnded {
			return fmt.Errorf("the peer ends stream %d twice", f.stream)
		}
		s.ended, s.peerEnded = s.ended || !received, s.peerEnded || received
	}
	if f.flags&flagRST != 0 || s.ended && s.peerEnded {
		delete(c.streams, f.stream)
	}
	return nil
}

// frames finds the headers in a stream of frames that arrives in pieces.
type frames struct {
	header [headerSize]byte
	have   int
	body   uint32 // how much is left of the body
}

// next consumes a part of p and returns its length. If a header ends there, next also
// returns its frame.
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
	got := frame{
		version: f.header[0], kind: f.header[1], flags: binary.BigEndian.Uint16(f.header[2:]),
		stream: binary.BigEndian.Uint32(f.header[4:]), length: binary.BigEndian.Uint32(f.header[8:]),
	}
	if got.kind == frameData {
		f.body = got.length
	}
	return used, got, true
}
