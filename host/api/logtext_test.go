package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// TestPlainLogs gets output without frames, as text and as lines of JSON.
func TestPlainLogs(t *testing.T) {
	var asked LogOptions
	var end error
	c, _ := serveFake(t, &fake{logs: func(_ context.Context, ref string, o LogOptions, sink Sink) error {
		asked = o
		if ref == "none" {
			return executor.Errorf(executor.NotFound, "no container %q", ref)
		}
		for _, chunk := range []struct {
			s    Stream
			data string
		}{{Stdout, "one\ntw"}, {Stderr, "oops\n"}, {Stdout, "o\nthree"}, {Stderr, "\xff"}} {
			if err := sink(chunk.s, []byte(chunk.data)); err != nil {
				return err
			}
		}
		if o.Dropped != nil {
			if err := o.Dropped(Stderr, 7); err != nil {
				return err
			}
		}
		return end
	}})
	var text strings.Builder
	opts := LogOptions{Tail: new(3), Timestamps: true}
	if err := c.LogText(t.Context(), "web", opts, &text); err != nil || text.String() != "one\ntwoops\no\nthree\xff" || asked.Tail == nil || *asked.Tail != 3 || !asked.Timestamps {
		t.Errorf("text: got %q, %v; the host was asked for %+v", text.String(), err, asked)
	}
	lines := func(ref string) (all []string) {
		for line, err := range c.LogLines(t.Context(), ref, LogOptions{}) {
			all = append(all, fmt.Sprintf("%s %q %d %v", line.Stream, line.Text, line.Dropped, err))
		}
		return all
	}
	want := []string{`stdout "one\n" 0 <nil>`, `stderr "oops\n" 0 <nil>`, `stdout "two\n" 0 <nil>`, `stderr "" 7 <nil>`, `stdout "three" 0 <nil>`, `stderr "�" 0 <nil>`}
	if got := lines("web"); !slices.Equal(got, want) {
		t.Errorf("lines: got %q, want %q", got, want)
	}
	end = executor.Errorf(executor.Unavailable, "the disk is gone")
	if got := lines("web"); len(got) != 5 || got[4] != ` "" 0 the disk is gone` {
		t.Errorf("lines that end with an error: got %q", got)
	}
	if got := lines("none"); len(got) != 1 || !strings.Contains(got[0], `no container`) {
		t.Errorf("lines of no container: got %q", got)
	}
	if err := c.LogText(t.Context(), "none", opts, &text); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("text of no container: got %v", err)
	}
}

// TestLongLine sends a line that has no end in pieces.
func TestLongLine(t *testing.T) {
	c, _ := serveFake(t, &fake{logs: func(_ context.Context, _ string, _ LogOptions, sink Sink) error {
		return sink(Stdout, []byte(strings.Repeat("x", maxLogLine+5)))
	}})
	var lengths []int
	for line, err := range c.LogLines(t.Context(), "web", LogOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, len(line.Text))
	}
	if !slices.Equal(lengths, []int{maxLogLine, 5}) {
		t.Errorf("got lines of %v bytes", lengths)
	}
}
