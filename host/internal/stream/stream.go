// Package stream is how output goes over one connection: a sequence of frames,
// each a header of 8 bytes and its data. The header holds the stream (1 byte: 1
// is stdout, 2 is stderr), 3 bytes of zero, and the length of the data as 4
// bytes, big-endian. Programs that read docker's raw streams read this one.
// Stream 0 is for messages between the two ends, which decide what they mean.
package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Stream is one of a workload's output streams.
type Stream byte

const (
	// Control is no output but what the two ends tell each other.
	Control Stream = 0
	Stdout  Stream = 1
	Stderr  Stream = 2
)

// String gives the stream's usual name.
func (s Stream) String() string {
	switch s {
	case Control:
		return "control"
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	}
	return fmt.Sprintf("stream(%d)", byte(s))
}

// MaxFrame is the most data that a frame holds, in bytes. A writer splits what
// is longer, a reader refuses it.
const MaxFrame = 1 << 20

const headerSize = 8

// Encoder writes frames. It is not safe for concurrent use.
type Encoder struct {
	w   io.Writer
	buf []byte
}

// NewEncoder makes an Encoder that writes to w. Each frame is one Write.
func NewEncoder(w io.Writer) *Encoder { return &Encoder{w: w} }

// Write writes data as frames of a stream. No data is no frame.
func (e *Encoder) Write(s Stream, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), MaxFrame)
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

// Decoder reads frames. It is not safe for concurrent use.
type Decoder struct {
	r   io.Reader
	buf []byte
}

// NewDecoder makes a Decoder that reads from r.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{r: r} }

// Next gives the next frame; data is valid until the call after. The error is
// io.EOF between frames and io.ErrUnexpectedEOF within one.
func (d *Decoder) Next() (s Stream, data []byte, err error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		return 0, nil, err
	}
	s = Stream(head[0])
	n := binary.BigEndian.Uint32(head[4:])
	if s > Stderr || head[1]|head[2]|head[3] != 0 || n > MaxFrame {
		return 0, nil, fmt.Errorf("stream: not the header of a frame: %x", head)
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

// Copy writes each stream's data to its writer until the frames end. It is for
// connections without messages.
func Copy(stdout, stderr io.Writer, r io.Reader) error {
	d := NewDecoder(r)
	for {
		s, data, err := d.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		w := stdout
		switch s {
		case Stderr:
			w = stderr
		case Control:
			return errors.New("stream: a message where only output is expected")
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
}
