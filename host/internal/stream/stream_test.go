package stream

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFramesOnTheWire(t *testing.T) {
	var wire bytes.Buffer
	e := NewEncoder(&wire)
	for _, f := range []struct {
		s    Stream
		data string
	}{{Stdout, "hi\n"}, {Stderr, ""}, {Stderr, "oh"}} {
		if err := e.Write(f.s, []byte(f.data)); err != nil {
			t.Fatal(err)
		}
	}
	const want = "\x01\x00\x00\x00\x00\x00\x00\x03hi\n\x02\x00\x00\x00\x00\x00\x00\x02oh"
	if got := wire.String(); got != want {
		t.Errorf("wire is %q, want %q", got, want)
	}
}

func TestCopy(t *testing.T) {
	var wire, stdout, stderr bytes.Buffer
	long := strings.Repeat("0123456789", MaxFrame/5)
	e := NewEncoder(&wire)
	for _, s := range []Stream{Stdout, Stderr, Stdout} {
		if err := e.Write(s, []byte(long)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Copy(&stdout, &stderr, &wire); err != nil {
		t.Fatal(err)
	}
	if stdout.String() != long+long || stderr.String() != long {
		t.Errorf("got %d and %d bytes, want %d and %d", stdout.Len(), stderr.Len(), 2*len(long), len(long))
	}
}

func TestDecoderErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		wire string
		want error // nil: any but the EOFs
	}{
		"nothing":     {"", io.EOF},
		"cut header":  {"\x01\x00\x00", io.ErrUnexpectedEOF},
		"no data":     {"\x01\x00\x00\x00\x00\x00\x00\x03", io.ErrUnexpectedEOF},
		"cut data":    {"\x01\x00\x00\x00\x00\x00\x00\x03hi", io.ErrUnexpectedEOF},
		"bad stream":  {"\x03\x00\x00\x00\x00\x00\x00\x01x", nil},
		"not a frame": {"HTTP/1.1 500 Internal", nil},
		"too long":    {"\x01\x00\x00\x00\xff\xff\xff\xff", nil},
	} {
		_, _, err := NewDecoder(strings.NewReader(tc.wire)).Next()
		eof := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) || tc.want == nil && eof {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x03hi\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		d := NewDecoder(bytes.NewReader(wire))
		var again bytes.Buffer
		e := NewEncoder(&again)
		for {
			s, data, err := d.Next()
			if err != nil {
				break
			}
			if len(data) == 0 {
				return // the encoder makes none
			}
			if err := e.Write(s, data); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(wire, again.Bytes()) {
			t.Errorf("decoded %q, encoded %q", wire, again.Bytes())
		}
	})
}
