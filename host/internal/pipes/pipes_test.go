package pipes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// newFIFO makes a FIFO that somebody holds open for reading, as an executor does.
func newFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	holder, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { holder.Close() })
	return path
}

func progress(t *testing.T, path string) *Progress {
	t.Helper()
	p, err := OpenProgress(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func writer(t *testing.T, path string) *os.File {
	t.Helper()
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestReadersTakeTurns lets readers come and go, which take only some of what they see. The
// bytes that were taken are those that were written.
func TestReadersTakeTurns(t *testing.T) {
	path, file := newFIFO(t), filepath.Join(t.TempDir(), "progress")
	sent := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(sent)
	w := writer(t, path)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer w.Close()
		if _, err := w.Write(sent); err != nil {
			t.Error(err)
		}
	})
	var got []byte
	for len(got) < len(sent) {
		p := progress(t, file)
		if p.Stdout.Done() != int64(len(got)) {
			t.Fatalf("%d bytes are counted, %d were taken", p.Stdout.Done(), len(got))
		}
		r, err := OpenReader(path, p.Stdout)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			data, err := r.Next(t.Context())
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n := 1 + rand.IntN(len(data))
			got = append(got, data[:n]...)
			if err := r.Take(n); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = r.Next(t.Context()) // seen and not taken
		r.Close()
		p.Close()
	}
	if !bytes.Equal(got, sent) {
		t.Error("the bytes that were taken are not those that were written")
	}
}

func TestReaderWaits(t *testing.T) {
	path := newFIFO(t)
	p := progress(t, filepath.Join(t.TempDir(), "progress"))
	r, err := OpenReader(path, p.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("without a writer: %v, want EOF", err)
	}
	w := writer(t, path)
	defer w.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of ctx: %v", err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { _, _ = w.WriteString("late") })
	data, err := r.Next(t.Context())
	if err != nil || string(data) != "late" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err = r.Next(ended); err != nil || string(data) != "late" {
		t.Errorf("what is there after the end of ctx: got %q, %v", data, err)
	}
}

// TestTorn kills a host in the middle of a move.
func TestTorn(t *testing.T) {
	path, file := newFIFO(t), filepath.Join(t.TempDir(), "progress")
	p := progress(t, file)
	if err := p.Stdout.set(7, 3); err != nil {
		t.Fatal(err)
	}
	next := progress(t, file)
	r, err := OpenReader(path, next.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, err := range []error{func() error { _, err := r.Next(t.Context()); return err }(), r.Take(1)} {
		torn, ok := errors.AsType[*TornError](err)
		if !ok || torn.After != 7 || torn.Bytes != 3 || !errors.Is(err, executor.OutcomeUnknown) {
			t.Errorf("got %v", err)
		}
	}
	if next.Stdin.Torn() != nil || next.Stderr.Torn() != nil {
		t.Error("the other streams are not torn")
	}
}

func TestWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	p := progress(t, filepath.Join(t.TempDir(), "progress"))
	if _, err := OpenWriter(path, p.Stdin); !errors.Is(err, ErrNoReader) {
		t.Fatalf("without a reader: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	w, err := OpenWriter(path, p.Stdin)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	sent := bytes.Repeat([]byte("0123456789"), 40_000) // more than it holds
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Write(t.Context(), sent); err != nil {
			t.Error(err)
		}
	})
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(reader, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("what was read is not what was written: %v", err)
	}
	wg.Wait()
	if n := p.Stdin.Done(); n != int64(len(sent)) {
		t.Errorf("%d bytes are counted", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		if err := w.Write(ctx, sent); !errors.Is(err, context.Canceled) {
			t.Errorf("a write that is cancelled: %v", err)
		}
	})
	cancel()
	wg.Wait()
	if p.Stdin.Torn() != nil {
		t.Error("a cancelled write leaves no doubt")
	}
	reader.Close()
	if err := w.Write(t.Context(), sent); !errors.Is(err, ErrNoReader) {
		t.Errorf("after the reader has gone: %v", err)
	}
}

func TestNoFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := progress(t, filepath.Join(t.TempDir(), "progress"))
	if r, err := OpenReader(path, p.Stdout); err == nil {
		r.Close()
		t.Error("a plain file was taken for a FIFO")
	}
}
