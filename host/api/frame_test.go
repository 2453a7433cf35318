package api

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestFramesOnTheWire(t *testing.T) {
	var wire bytes.Buffer
	e := newEncoder(&wire)
	for _, f := range []struct {
		s    Stream
		data string
	}{{Stdout, "hi\n"}, {Stderr, ""}, {Stderr, "oh"}} {
		if err := e.write(f.s, []byte(f.data)); err != nil {
			t.Fatal(err)
		}
	}
	const want = "\x01\x00\x00\x00\x00\x00\x00\x03hi\n\x02\x00\x00\x00\x00\x00\x00\x02oh"
	if got := wire.String(); got != want {
		t.Errorf("wire is %q, want %q", got, want)
	}
}

func TestFramesSplitAndJoin(t *testing.T) {
	var wire bytes.Buffer
	got := map[Stream]string{}
	long := strings.Repeat("0123456789", maxFrame/5)
	e := newEncoder(&wire)
	for _, s := range []Stream{Stdout, Stderr, Stdout} {
		if err := e.write(s, []byte(long)); err != nil {
			t.Fatal(err)
		}
	}
	d := newDecoder(&wire)
	for {
		s, data, err := d.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[s] += string(data)
	}
	if got[Stdout] != long+long || got[Stderr] != long {
		t.Errorf("got %d and %d bytes, want %d and %d", len(got[Stdout]), len(got[Stderr]), 2*len(long), len(long))
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
		_, _, err := newDecoder(strings.NewReader(tc.wire)).next()
		eof := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) || tc.want == nil && eof {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x03hi\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		d := newDecoder(bytes.NewReader(wire))
		var again bytes.Buffer
		e := newEncoder(&again)
		for {
			s, data, err := d.next()
			if err != nil {
				break
			}
			if len(data) == 0 {
				return // the encoder makes none
			}
			if err := e.write(s, data); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(wire, again.Bytes()) {
			t.Errorf("decoded %q, encoded %q", wire, again.Bytes())
		}
	})
}
