package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// maxFrame is the maximum size of a frame's data, in bytes. A writer splits longer data;
// a reader refuses longer frames.
const maxFrame = 1 << 20

const frameHeader = 8

// encoder writes frames. It is not safe for concurrent use.
type encoder struct {
	w   io.Writer
	buf []byte
}

// newEncoder returns an encoder that writes to w. Each frame is one Write.
func newEncoder(w io.Writer) *encoder { return &encoder{w: w} }

// write writes data as frames of a stream. It writes no frame for no data.
func (e *encoder) write(s Stream, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), maxFrame)
		e.buf = append(e.buf[:0], byte(s), 0, 0, 0)
		e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(n))
		e.buf = append(e.buf, data[:n]...)
		if _, err := e.w.Write(e.buf); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// decoder reads frames. It is not safe for concurrent use.
type decoder struct {
	r   io.Reader
	buf []byte
	// last is the highest stream that may come.
	last Stream
}

// newDecoder returns a decoder that reads from r.
func newDecoder(r io.Reader) *decoder { return &decoder{r: r, last: Stderr} }

// errNoFrame is what the decoder returns for bytes that are no frame.
var errNoFrame = errors.New("not the header of a frame")

// next returns the next frame. data is valid until the next call. If the input ends, the
// error is io.EOF between frames and io.ErrUnexpectedEOF within one.
func (d *decoder) next() (s Stream, data []byte, err error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		return 0, nil, err
	}
	s = Stream(head[0])
	n := binary.BigEndian.Uint32(head[4:])
	if s > d.last || head[1]|head[2]|head[3] != 0 || n > maxFrame {
		return 0, nil, fmt.Errorf("%w: %x", errNoFrame, head)
	}
	if cap(d.buf) < int(n) {
		d.buf = make([]byte, n)
	}
	data = d.buf[:n]
	if _, err := io.ReadFull(d.r, data); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return s, data, nil
}
