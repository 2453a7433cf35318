package transport

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// wireFrame returns a frame of yamux as bytes.
func wireFrame(kind byte, flags uint16, stream uint32, length uint32, body string) []byte {
	b := []byte{0, kind}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(b, body...)
}

func TestGuardCountsUselessFrames(t *testing.T) {
	data := func(stream uint32, body string) []byte {
		return wireFrame(frameData, 0, stream, uint32(len(body)), body)
	}
	repeat := func(n int, frames ...[]byte) (all []byte) {
		for range n {
			for _, f := range frames {
				all = append(all, f...)
			}
		}
		return all
	}
	tests := []struct {
		name       string
		sent, came []byte
		cut        bool
	}{
		{"a stream of ours", wireFrame(frameWindowUpdate, flagSYN, 1, 0, ""), repeat(10*maxStrays, data(1, "twelve bytes")), false},
		{"bodies that look like frames", wireFrame(frameWindowUpdate, flagSYN, 1, 0, ""), repeat(maxStrays, data(1, string(repeat(20, data(99, ""))))), false},
		{"a stream of the peer's", nil, append(wireFrame(frameData, flagSYN, 2, 0, ""), repeat(10*maxStrays, data(2, "x"))...), false},
		{"half closed", repeat(1, wireFrame(frameData, flagSYN, 1, 0, ""), wireFrame(frameData, flagFIN, 1, 0, "")), repeat(10*maxStrays, data(1, "x")), false},
		{"pings", nil, repeat(10*maxStrays, wireFrame(2, 1, 0, 7, "")), false},
		{"a few strays", nil, repeat(maxStrays, data(7, "x")), false},
		{"another version", nil, []byte("HTTP/1.1 400 Bad Request\r\n"), true},
		{"another kind", nil, wireFrame(maxFrames, 0, 0, 0, ""), true},
		{"gone away", nil, wireFrame(frameGoAway, 0, 0, 1, ""), true},
		{"a stream opened twice", nil, repeat(2, wireFrame(frameData, flagSYN, 2, 0, "")), true},
		{"a stream ended twice", wireFrame(frameWindowUpdate, flagSYN, 1, 0, ""), repeat(2, wireFrame(frameData, flagFIN, 1, 0, "")), true},
		{"more than there is room", wireFrame(frameWindowUpdate, flagSYN, 1, 0, ""), wireFrame(frameData, 0, 1, muxWindow+1, "x"), true},
		{"room that was made", append(wireFrame(frameWindowUpdate, flagSYN, 1, 0, ""), wireFrame(frameWindowUpdate, 0, 1, 1, "")...), wireFrame(frameData, 0, 1, muxWindow+1, string(make([]byte, muxWindow+1))), false},
		{"zeros", nil, make([]byte, headerSize*(maxStrays+1)), true},
		{"closed by both", repeat(1, wireFrame(frameData, flagSYN, 1, 0, ""), wireFrame(frameData, flagFIN, 1, 0, "")), append(wireFrame(frameData, flagFIN, 1, 0, ""), repeat(maxStrays+1, data(1, "x"))...), true},
		{"reset by us", repeat(1, wireFrame(frameData, flagSYN, 1, 0, ""), wireFrame(frameData, flagRST, 1, 0, "")), repeat(maxStrays+1, data(1, "x")), true},
		{"streams without end", nil, repeat(maxStrays+1, wireFrame(frameData, flagSYN, 2, 0, "")), true},
		{"window updates for nothing", nil, repeat(maxStrays+1, wireFrame(frameWindowUpdate, 0, 9, 1, "")), true},
	}
	for _, tt := range tests {
		for _, piece := range []int{3, 7, 1 << 20} { // read so many bytes at a time
			ours, theirs := net.Pipe()
			g := guard(ours)
			go func() {
				_, _ = io.CopyN(io.Discard, theirs, int64(len(tt.sent)))
				_, _ = theirs.Write(tt.came)
				theirs.Close()
			}()
			if len(tt.sent) > 0 { // else a pipe waits for a reader
				if n, err := g.Write(tt.sent); n != len(tt.sent) || err != nil {
					t.Errorf("%s: write: got %d, %v", tt.name, n, err)
				}
			}
			var err error
			total := 0
			for buf := make([]byte, piece); err == nil; {
				var n int
				n, err = g.Read(buf)
				total += n
			}
			if tt.cut != (g.reason() != nil) || !tt.cut && total != len(tt.came) {
				t.Errorf("%s, %d at a time: got %d bytes of %d, then %v", tt.name, piece, total, len(tt.came), err)
			}
			g.Close()
		}
	}
}
