package fifo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
)

var ref = executor.Ref{ID: "a", Attempt: 1, Exec: "x"}

// held returns a FIFO that is held, its writer, and the channel of what Drained returns.
func held(t *testing.T, h *fifo.Holder) (path string, w *os.File) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	stdio := executor.Stdio{Stdout: executor.Stream{Kind: executor.StreamFIFO, Path: path}}
	stdio.Stderr = stdio.Stdout
	if err := errors.Join(h.Hold(ref, stdio), h.Hold(ref, stdio)); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close(); h.Close() })
	return path, w
}

func drained(t *testing.T, h *fifo.Holder) <-chan executor.Output {
	out := make(chan executor.Output, 1)
	ctx := t.Context()
	go func() {
		o, err := h.Drained(ctx, ref)
		if err != nil && ctx.Err() == nil {
			t.Errorf("Drained: %v", err)
		}
		out <- o
	}()
	return out
}

func (r reader) all(t *testing.T) []byte {
	t.Helper()
	f, err := os.OpenFile(string(r), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type reader string

// What is written before anybody reads is there for the reader who comes late, also if
// the process was taken up only after its end.
func TestHolderKeepsWhatNobodyReads(t *testing.T) {
	for name, again := range map[string]bool{"by the first": false, "by the next": true} {
		t.Run(name, func(t *testing.T) {
			var first, next fifo.Holder
			path, w := held(t, &first)
			h := &first
			if _, err := w.WriteString("hello"); err != nil {
				t.Fatal(err)
			}
			_ = w.Close()
			if again {
				if err := next.Hold(ref, executor.Stdio{Stdout: executor.Stream{Kind: executor.StreamFIFO, Path: path}}); err != nil {
					t.Fatal(err)
				}
				first.Drop(ref)
				h = &next
				defer h.Close()
			}
			out := drained(t, h)
			select {
			case o := <-out:
				t.Fatalf("drained (%s) before anybody has read", o)
			case <-time.After(100 * time.Millisecond):
			}
			// The reader has a write end, too, so that it is not at the end at once.
			keep, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			_ = keep.Close()
			b, err := io.ReadAll(f)
			if err != nil || !bytes.Equal(b, []byte("hello")) {
				t.Fatalf("got %q, %v", b, err)
			}
			if o := <-out; o != executor.Complete {
				t.Errorf("got %s, want complete", o)
			}
		})
	}
}

func TestHolderWaitsForWriters(t *testing.T) {
	var h fifo.Holder
	path, w := held(t, &h)
	out := drained(t, &h)
	got := make(chan []byte, 1)
	go func() { got <- reader(path).all(t) }()
	const dots = 27 // for longer than a writer may be quiet, and each much sooner than that
	for range dots {
		if _, err := w.WriteString("."); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	select {
	case o := <-out:
		t.Fatalf("drained (%s) while somebody writes", o)
	default:
	}
	_ = w.Close()
	if o := <-out; o != executor.Complete {
		t.Errorf("got %s, want complete", o)
	}
	if b := <-got; string(b) != strings.Repeat(".", dots) {
		t.Errorf("got %q", b)
	}
}

func TestHolderGivesUpQuietWriters(t *testing.T) {
	var h fifo.Holder
	_, _ = held(t, &h)
	if o := <-drained(t, &h); o != executor.Truncated {
		t.Errorf("got %s, want truncated", o)
	}
}

func TestHolderEnds(t *testing.T) {
	var h fifo.Holder
	_, w := held(t, &h)
	_, _ = w.WriteString("x")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := h.Drained(ctx, ref); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	out := drained(t, &h)
	h.Drop(ref)
	<-out // it ends
	if o := <-drained(t, &h); o != executor.Complete {
		t.Errorf("nothing is held: got %s, want complete", o)
	}
	if err := h.Hold(ref, executor.Stdio{Stdout: executor.Stream{Kind: executor.StreamFIFO, Path: "/dev/null"}}); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("no FIFO: got %v, want invalid", err)
	}
}

// The input of a process that was not started yet outlives its first writer.
func TestKeepInput(t *testing.T) {
	var h fifo.Holder
	defer h.Close()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.KeepInput(ref, executor.Stream{Kind: executor.StreamFIFO, Path: path}); err != nil {
		t.Fatal(err)
	}
	in, err := os.OpenFile(path, os.O_RDONLY, 0) // does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		h.CloseInput(ref)
		h.CloseInput(ref)
	}()
	if got, err := io.ReadAll(in); err != nil || string(got) != "onetwo" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := h.KeepInput(ref, executor.Stream{Kind: executor.StreamFIFO, Path: path + "x"}); err == nil {
		t.Error("no FIFO: got no error")
	}
	if err := h.KeepInput(ref, executor.Stream{}); err != nil {
		t.Errorf("no input: got %v", err)
	}
}
