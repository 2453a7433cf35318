package transport

import (
	"bufio"
	"encoding/gob"
	"fmt"
	"io"
	"net/rpc"
)

// MaxMessage bounds one message in either direction, in bytes. It leaves room
// for the largest spec (executor.MaxSpecSize, base64 is not involved: a
// json.RawMessage is copied as it is) and for the list of some ten thousand
// workloads.
const MaxMessage = 16 << 20

// errTooLarge ends a connection, since the stream has no message boundary after it.
type errTooLarge struct{}

func (errTooLarge) Error() string {
	return fmt.Sprintf("peer sent a message of more than %d bytes", MaxMessage)
}

// budgetReader fails once a message has used up its budget. It is an io.ByteReader so
// that gob adds no buffer of its own.
type budgetReader struct {
	r    *bufio.Reader
	left int
}

func (b *budgetReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge{}
	}
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

func (b *budgetReader) ReadByte() (byte, error) {
	if b.left <= 0 {
		return 0, errTooLarge{}
	}
	c, err := b.r.ReadByte()
	if err == nil {
		b.left--
	}
	return c, err
}

// gobStream reads and writes bounded gob messages, a header and a body each.
type gobStream struct {
	conn   io.ReadWriteCloser
	budget *budgetReader
	dec    *gob.Decoder
	out    *bufio.Writer
	enc    *gob.Encoder
}

func newGobStream(conn io.ReadWriteCloser) *gobStream {
	budget := &budgetReader{r: bufio.NewReader(conn)}
	out := bufio.NewWriter(conn)
	return &gobStream{conn: conn, budget: budget, dec: gob.NewDecoder(budget), out: out, enc: gob.NewEncoder(out)}
}

func (s *gobStream) readHeader(header any) error {
	s.budget.left = MaxMessage
	return s.dec.Decode(header)
}

func (s *gobStream) write(header, body any) error {
	if err := s.enc.Encode(header); err != nil {
		return err
	}
	if err := s.enc.Encode(body); err != nil {
		return err
	}
	return s.out.Flush()
}

func (s *gobStream) Close() error { return s.conn.Close() }

// clientCodec is the calling side.
type clientCodec struct{ *gobStream }

func (c clientCodec) WriteRequest(r *rpc.Request, body any) error {
	// From here on the peer may have seen the call, even if writing fails.
	if req, ok := body.(*Request); ok {
		req.sent = true
	}
	return c.write(r, body)
}

func (c clientCodec) ReadResponseHeader(r *rpc.Response) error { return c.readHeader(r) }

func (c clientCodec) ReadResponseBody(body any) error { return c.dec.Decode(body) }

// serverCodec is the serving side.
type serverCodec struct {
	*gobStream
	calls *calls
}

func (c serverCodec) ReadRequestHeader(r *rpc.Request) error {
	err := c.readHeader(r)
	if err != nil {
		c.calls.hangUp()
	}
	return err
}

func (c serverCodec) ReadRequestBody(body any) error {
	if err := c.dec.Decode(body); err != nil {
		c.calls.hangUp()
		return err
	}
	if req, ok := body.(*Request); ok {
		c.calls.begin(req)
	}
	return nil
}

func (c serverCodec) WriteResponse(r *rpc.Response, body any) error {
	err := c.write(r, body)
	if err != nil {
		_ = c.Close() // half a message may be out: no later one can be read
	}
	return err
}
