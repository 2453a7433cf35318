package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "ctrl-p,ctrl-q": "\x10\x11", "ctrl-@,ctrl-],ctrl-_": "\x00\x1d\x1f", "x,ctrl-a": "x\x01",
	} {
		if got, err := parseKeys(text); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"ctrl-", "ctrl-1", "ab", "a,", "ctrl-P", "ü"} {
		if got, err := parseKeys(text); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}

// TestWatchKeys presses keys in pieces. All that are not the detach keys go through.
func TestWatchKeys(t *testing.T) {
	keys := []byte("\x10\x11")
	for name, tt := range map[string]struct {
		pieces []string // empty: nothing comes for a while
		want   string
		end    error
	}{
		"no keys":          {[]string{"abc", "d"}, "abcd", io.EOF},
		"keys":             {[]string{"ab\x10\x11c"}, "ab", errDetachKeys},
		"in two pieces":    {[]string{"ab\x10", "\x11c"}, "ab", errDetachKeys},
		"other follows":    {[]string{"\x10", "x\x11"}, "\x10x\x11", io.EOF},
		"first key twice":  {[]string{"\x10", "\x10", "\x11"}, "\x10", errDetachKeys},
		"first key alone":  {[]string{"\x10", "", "y"}, "\x10y", io.EOF},
		"too late":         {[]string{"\x10", "", "\x11"}, "\x10\x11", io.EOF},
		"first key at end": {[]string{"a\x10"}, "a\x10", io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			pieces := tt.pieces
			next := watchKeys(keys, func(ctx context.Context) ([]byte, error) {
				if len(pieces) == 0 {
					return nil, io.EOF
				}
				piece := pieces[0]
				pieces = pieces[1:]
				if piece == "" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return []byte(piece), nil
			})
			var got bytes.Buffer
			for {
				data, err := next(t.Context())
				got.Write(data)
				if err != nil {
					if !errors.Is(err, tt.end) || got.String() != tt.want {
						t.Errorf("got %q, %v; want %q, %v", got.String(), err, tt.want, tt.end)
					}
					return
				}
			}
		})
	}
}
