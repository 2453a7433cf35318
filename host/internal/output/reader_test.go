package output

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

func newWatcher(t testing.TB) *linux.Watcher {
	t.Helper()
	w := linux.NewWatcher()
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if n := w.Armed(); n > 0 {
			t.Errorf("%d watches are left", n)
		}
	})
	return w
}

// newFiles makes the files of an attempt.
func newFiles(t testing.TB, merged bool) Files {
	t.Helper()
	d, _ := openDir(t)
	files, err := d.Create(executor.Ref{ID: "web", Attempt: 1}, Layout{Merged: merged})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// appendTo opens a file as a shim does.
func appendTo(t testing.TB, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t testing.TB, f io.Writer, data string) {
	t.Helper()
	if _, err := io.WriteString(f, data); err != nil {
		t.Error(err)
	}
}

func newReader(t testing.TB, w *linux.Watcher, files Files, opts ReadOptions) *Reader {
	t.Helper()
	r, err := NewReader(t.Context(), w, files, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// collect reads to the end. It checks that offsets have no gap.
func collect(t testing.TB, r *Reader) (stdout, stderr string) {
	t.Helper()
	var out [3]bytes.Buffer
	next := map[api.Stream]int64{api.Stdout: -1, api.Stderr: -1}
	for {
		c, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out[api.Stdout].String(), out[api.Stderr].String()
		}
		if err != nil {
			t.Fatal(err)
		}
		if at := c.Offset - c.Dropped; next[c.Stream] >= 0 && at != next[c.Stream] {
			t.Errorf("%s goes on at %d, want %d", c.Stream, at, next[c.Stream])
		}
		next[c.Stream] = c.Offset + int64(len(c.Data))
		out[c.Stream].Write(c.Data)
	}
}

func TestReadWhatIsThere(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, false)
	long := strings.Repeat("x", 3*readSize) + "\n"
	stdout := appendTo(t, files.Stdout)
	write(t, stdout, long+"out\n")
	write(t, appendTo(t, files.Stderr), "err\n")
	later := time.Now().Add(time.Second) // than stdout, by more than a tick
	if err := os.Chtimes(files.Stderr, later, later); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		opts           ReadOptions
		stdout, stderr string
	}{
		"all":         {ReadOptions{}, long + "out\n", "err\n"},
		"stdout":      {ReadOptions{OmitStderr: true}, long + "out\n", ""},
		"stderr":      {ReadOptions{OmitStdout: true}, "", "err\n"},
		"none":        {ReadOptions{OmitStdout: true, OmitStderr: true}, "", ""},
		"from":        {ReadOptions{From: Cursor{Stdout: int64(len(long)), Stderr: 1}}, "out\n", "rr\n"},
		"from beyond": {ReadOptions{From: Cursor{Stdout: 1 << 40, Stderr: 4}}, "", ""},
		"negative":    {ReadOptions{From: Cursor{Stdout: -5}, Tail: new(0)}, "", ""},
		"tail":        {ReadOptions{Tail: new(2)}, "out\n", "err\n"},
	} {
		t.Run(name, func(t *testing.T) {
			gotOut, gotErr := collect(t, newReader(t, w, files, tc.opts))
			if gotOut != tc.stdout || gotErr != tc.stderr {
				t.Errorf("got %d and %d bytes, want %d and %d", len(gotOut), len(gotErr), len(tc.stdout), len(tc.stderr))
			}
		})
	}
	if _, err := NewReader(t.Context(), w, Files{Stdout: files.Stdout + "x", Stderr: files.Stderr}, ReadOptions{}); !errors.Is(err, executor.NotFound) {
		t.Errorf("missing file: %v, want not found", err)
	}
}

func TestTail(t *testing.T) {
	w := newWatcher(t)
	block := strings.Repeat("y", readSize-1) + "\n"
	for name, tc := range map[string]struct {
		content string
		n       int
		want    string
	}{
		"empty":              {"", 3, ""},
		"none":               {"a\nb\n", 0, ""},
		"negative":           {"a\nb\n", -1, ""},
		"one":                {"a\nb\n", 1, "b\n"},
		"without newline":    {"a\nb", 1, "b"},
		"as many":            {"a\nb\n", 2, "a\nb\n"},
		"fewer":              {"a\nb\n", 9, "a\nb\n"},
		"empty lines":        {"a\n\n\n", 2, "\n\n"},
		"only newlines":      {"\n\n\n", 1, "\n"},
		"block ends a line":  {"a\n" + block, 1, block},
		"two blocks":         {"a\n" + block + block, 2, block + block},
		"line across blocks": {"a\nb" + block + "c\n", 2, "b" + block + "c\n"},
		"very long line":     {"a\n" + strings.Repeat("z", 5*readSize), 1, strings.Repeat("z", 5*readSize)},
		"one long line":      {strings.Repeat("z", 2*readSize) + "\n", 1, strings.Repeat("z", 2*readSize) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			files := newFiles(t, true)
			write(t, appendTo(t, files.Stdout), tc.content)
			if got, _ := collect(t, newReader(t, w, files, ReadOptions{Tail: &tc.n})); got != tc.want {
				t.Errorf("got %d bytes, want %d", len(got), len(tc.want))
			}
		})
	}
}

func TestFollowToTheEnd(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, false)
	done := make(chan struct{})
	var want [2]strings.Builder
	var readers sync.WaitGroup
	var got [8][2]string
	for i := range got {
		readers.Go(func() {
			r, err := NewReader(t.Context(), w, files, ReadOptions{Done: done})
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			got[i][0], got[i][1] = collect(t, r)
		})
	}
	var writers sync.WaitGroup
	for i, path := range []string{files.Stdout, files.Stderr} {
		f := appendTo(t, path)
		writers.Go(func() {
			for j := range 3000 {
				line := fmt.Sprintf("%d line %d %s\n", i, j, strings.Repeat("x", rand.IntN(50)))
				want[i].WriteString(line)
				write(t, f, line)
				if j%50 == 0 {
					time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	for i := range got {
		if got[i][0] != want[0].String() || got[i][1] != want[1].String() {
			t.Errorf("reader %d got %d and %d bytes, want %d and %d", i, len(got[i][0]), len(got[i][1]), want[0].Len(), want[1].Len())
		}
	}
}

// A reader that waits must be woken by every single write.
func TestNoWakeUpIsLost(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, false)
	stdout, stderr := appendTo(t, files.Stdout), appendTo(t, files.Stderr)
	const n = 3000
	var readers sync.WaitGroup
	seen := make([]chan struct{}, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for i := range seen {
		seen[i] = make(chan struct{}, 1)
		r := newReader(t, w, files, ReadOptions{Done: make(chan struct{})})
		readers.Go(func() {
			for read := 0; read < n; {
				c, err := r.Next(ctx)
				if err != nil {
					t.Errorf("reader %d after %d bytes: %v", i, read, err)
					cancel()
					return
				}
				for range c.Data {
					read++
					seen[i] <- struct{}{}
				}
			}
		})
	}
	for i := range n {
		f := stdout
		if i%3 == 0 {
			f = stderr
		}
		write(t, f, ".")
		if i%7 == 0 {
			time.Sleep(20 * time.Microsecond)
		}
		for _, next := range seen {
			select {
			case <-next:
			case <-ctx.Done():
				t.Fatalf("write %d was not seen", i)
			}
		}
	}
	readers.Wait()
}

func TestReaderGoesOnFromCursor(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, false)
	stdout := appendTo(t, files.Stdout)
	write(t, stdout, "first\n")
	write(t, appendTo(t, files.Stderr), "oops\n")
	done := make(chan struct{})
	r := newReader(t, w, files, ReadOptions{Done: done})
	for range 2 {
		if _, err := r.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cursor := r.Cursor()
	if want := (Cursor{Stdout: 6, Stderr: 5}); cursor != want {
		t.Errorf("cursor is %v, want %v", cursor, want)
	}
	r.Close()
	write(t, stdout, "second\n")
	close(done)
	if out, err := collect(t, newReader(t, w, files, ReadOptions{From: cursor, Done: done})); out != "second\n" || err != "" {
		t.Errorf("got %q and %q", out, err)
	}
}

func TestNextHonoursContext(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, false)
	done := make(chan struct{})
	r := newReader(t, w, files, ReadOptions{Done: done})
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if c, err := r.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next = %v, %v", c, err)
		}
		cancel()
	}
	write(t, appendTo(t, files.Stderr), "late\n")
	if c, err := r.Next(t.Context()); err != nil || string(c.Data) != "late\n" || c.Stream != api.Stderr {
		t.Errorf("Next = %v, %v", c, err)
	}
}

func TestRemovedWhileRead(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, false)
	stdout := appendTo(t, files.Stdout)
	done := make(chan struct{})
	r := newReader(t, w, files, ReadOptions{Done: done})
	if err := errors.Join(os.Remove(files.Stdout), os.Remove(files.Stderr)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, func() { write(t, stdout, "still here\n"); close(done) })
	if out, _ := collect(t, r); out != "still here\n" {
		t.Errorf("got %q", out)
	}
}

func TestHolesAreReportedAndNotRead(t *testing.T) {
	w := newWatcher(t)
	const block = 4096
	var content strings.Builder
	for i := 0; content.Len() < 8*block; i++ {
		fmt.Fprintf(&content, "line %06d\n", i)
	}
	for name, tc := range map[string]struct {
		from    int64
		tail    *int
		dropped int64
	}{
		"all":                      {0, nil, 5 * block},
		"in the hole":              {2*block + 1, nil, 3*block - 1},
		"behind it":                {6 * block, nil, 0},
		"in the middle of a block": {3*block + 100, nil, 2*block - 100},
		"tail":                     {0, new(2), 0},
		"long tail":                {0, new(1 << 20), 5 * block},
	} {
		t.Run(name, func(t *testing.T) {
			files := newFiles(t, true)
			f := appendTo(t, files.Stdout)
			write(t, f, content.String())
			punch(t, f, 5*block)
			r := newReader(t, w, files, ReadOptions{From: Cursor{Stdout: tc.from}, Tail: tc.tail})
			c, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if tc.dropped > 0 && (c.Dropped < tc.dropped || c.Dropped > tc.dropped+12 || !strings.HasPrefix(string(c.Data), "line ")) {
				t.Errorf("dropped %d, want %d; data begin with %q", c.Dropped, tc.dropped, c.Data[:20])
			}
			if tc.dropped == 0 && c.Dropped != 0 {
				t.Errorf("dropped %d, want nothing", c.Dropped)
			}
			if want := content.String()[c.Offset:]; string(c.Data) != want {
				t.Errorf("data from %d on differ", c.Offset)
			}
		})
	}
	t.Run("nothing left", func(t *testing.T) {
		files := newFiles(t, true)
		f := appendTo(t, files.Stdout)
		write(t, f, content.String()[:8*block])
		punch(t, f, 8*block)
		c, err := newReader(t, w, files, ReadOptions{}).Next(t.Context())
		if err != nil || c.Dropped != 8*block || len(c.Data) != 0 {
			t.Errorf("dropped %d, %d bytes, %v", c.Dropped, len(c.Data), err)
		}
	})
}

// punch makes the first bytes of a file a hole.
func punch(t testing.TB, f *os.File, n int64) {
	t.Helper()
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, n); err != nil {
		t.Skipf("no holes on this file system: %v", err)
	}
}

// What is not in the index yet came after its file, and thus after a time before.
func TestUntilBeforeTheStart(t *testing.T) {
	before := time.Now()
	time.Sleep(20 * time.Millisecond) // the clock of files is coarse
	files := newFiles(t, false)
	f, err := os.Open(files.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if birth(f).IsZero() {
		t.Skip("the file system does not know when files were made")
	}
	write(t, appendTo(t, files.Stdout), "first\n")
	r := newReader(t, newWatcher(t), files, ReadOptions{Until: before})
	if c, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %q, %v, want nothing", c.Data, err)
	}
	r = newReader(t, newWatcher(t), files, ReadOptions{Until: time.Now()})
	if c, err := r.Next(t.Context()); err != nil || string(c.Data) != "first\n" {
		t.Errorf("got %q, %v, want what was written by now", c.Data, err)
	}
}

func TestOutputReplacesRemovedWords(t *testing.T) {
	files := newFiles(t, false)
	f := appendTo(t, files.Stdout)
	done := make(chan struct{})
	r := newReader(t, newWatcher(t), files, ReadOptions{Done: done})
	write(t, f, "EOF\n")
	if c, err := r.Next(t.Context()); err != nil || string(c.Data) != "EOF\n" {
		t.Fatalf("got %q, %v", c.Data, err)
	}
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if c, err := r.Next(ctx); err == nil {
		t.Fatalf("got %q of an empty file", c.Data)
	}
	write(t, f, "first line\n")
	close(done)
	if stdout, _ := collect(t, r); stdout != "first line\n" {
		t.Errorf("got %q", stdout)
	}
}
