package capture

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/notes"
)

// newStream makes the files of a stream.
func newStream(t testing.TB, dir, name string, max int64) executor.Stream {
	t.Helper()
	s := executor.Stream{Kind: executor.StreamFile, Path: filepath.Join(dir, name), Max: max, Index: filepath.Join(dir, name+".index")}
	for _, path := range []string{s.Path, s.Index} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// begin begins to copy to streams, and returns the ends of the pipes for the workload.
func begin(t testing.TB, streams ...executor.Stream) (*Copier, []*os.File) {
	t.Helper()
	var sources []Source
	var ends []*os.File
	for _, s := range streams {
		log, err := OpenLog(s)
		if err != nil {
			t.Fatal(err)
		}
		from, to, err := Pipe(Owner{UID: os.Geteuid(), GID: os.Getegid()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { from.Close(); to.Close() })
		sources, ends = append(sources, Source{from, log}), append(ends, to)
	}
	c, err := Start(sources...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, ends
}

func write(t testing.TB, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// finish ends the streams and waits for the copier.
func finish(t testing.TB, c *Copier, ends []*os.File) {
	t.Helper()
	for _, f := range ends {
		f.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if !c.Wait(ctx) {
		t.Fatal("the copier does not end")
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// notesOf returns the notes of a stream.
func notesOf(t testing.TB, s executor.Stream) (list []notes.Note) {
	t.Helper()
	for b := []byte(read(t, s.Index)); len(b) >= notes.Size; b = b[notes.Size:] {
		if n, ok := notes.Parse(b); ok {
			list = append(list, n)
		}
	}
	return list
}

// TestNotesEachLine: each line has a note of its own that is there with it, and the notes
// have the order of both streams.
func TestNotesEachLine(t *testing.T) {
	dir := t.TempDir()
	streams := []executor.Stream{newStream(t, dir, "stdout", 0), newStream(t, dir, "stderr", 0)}
	begun := time.Now()
	c, ends := begin(t, streams...)
	const lines = 20
	for i := range lines {
		before, s := int64(len(read(t, streams[i%2].Path))), streams[i%2]
		write(t, ends[i%2], fmt.Sprintf("line %d\n", i))
		wait.Until(t, "the line and its note", func() bool {
			text, list := read(t, s.Path), notesOf(t, s)
			return int64(len(text)) > before && len(list) > 0 && list[len(list)-1].Offset == int64(len(text))
		})
	}
	finish(t, c, ends)
	last := begun
	lists := [][]notes.Note{notesOf(t, streams[0]), notesOf(t, streams[1])}
	for i := range lines {
		if len(lists[i%2]) != lines/2 {
			t.Fatalf("%d notes, want %d", len(lists[i%2]), lines/2)
		}
		n := lists[i%2][i/2]
		if n.At.Before(last) || n.Sampled || n.Span > time.Minute {
			t.Errorf("note of line %d is %+v, after %v", i, n, last)
		}
		last = n.At
	}
}

// TestNotesAreBounded: who writes small lines without an end has no more notes than a
// burst and some each second, and they cover all of it.
func TestNotesAreBounded(t *testing.T) {
	s := newStream(t, t.TempDir(), "stdout", 0)
	begun := time.Now()
	c, ends := begin(t, s)
	for range 20_000 {
		write(t, ends[0], "a line\n")
	}
	finish(t, c, ends)
	list := notesOf(t, s)
	most := burst + batch + int(rate*(time.Since(begun).Seconds()+1))
	if len(list) == 0 || len(list) > most || list[len(list)-1].Offset != 20_000*7 {
		t.Fatalf("%d notes, want at most %d", len(list), most)
	}
	for i, n := range list[1:] {
		if n.Offset <= list[i].Offset || n.At.Before(list[i].At) {
			t.Fatalf("after %+v comes %+v", list[i], n)
		}
	}
}

// TestLimitHolds: nobody but the copier lives.
func TestLimitHolds(t *testing.T) {
	const limit = 1 << 20
	s := newStream(t, t.TempDir(), "stdout", limit)
	c, ends := begin(t, s)
	line := strings.Repeat("x", 1023) + "\n"
	var held int64
	const lines = 32 << 10
	for i := range lines {
		write(t, ends[0], line)
		var st unix.Stat_t
		if err := unix.Stat(s.Path, &st); err != nil {
			t.Fatal(err)
		}
		if i%64 == 0 {
			held = max(held, st.Blocks*512)
		}
	}
	finish(t, c, ends)
	st, err := os.Stat(s.Path)
	if err != nil || st.Size() != lines*1024 {
		t.Fatalf("%d bytes, %v", st.Size(), err)
	}
	if held > limit+2*bufferSize {
		t.Errorf("%d bytes were held, the limit is %d", held, limit)
	}
	if text := read(t, s.Path); !strings.HasSuffix(text, line+line) {
		t.Error("the end is missing")
	}
}

// TestReopened: a workload that opens its output once more, as another user, loses
// nothing.
func TestReopened(t *testing.T) {
	s := newStream(t, t.TempDir(), "stdout", 0)
	c, ends := begin(t, s)
	write(t, ends[0], "one\n")
	var name string
	conn, err := ends[0].SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { name = fmt.Sprintf("/proc/self/fd/%d", fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	write(t, again, "two\n")
	if err := again.Truncate(0); err == nil {
		t.Error("the output was truncated")
	}
	st, err := again.Stat()
	if err != nil || st.Mode().Perm() != 0o622 {
		t.Errorf("mode %v, %v: others cannot write to it", st.Mode(), err)
	}
	again.Close()
	finish(t, c, ends)
	if got := read(t, s.Path); got != "one\ntwo\n" {
		t.Errorf("got %q", got)
	}
}

// TestFullFIFO: a stream whose reader does not read stops no other.
func TestFullFIFO(t *testing.T) {
	dir := t.TempDir()
	fifo := executor.Stream{Kind: executor.StreamFIFO, Path: filepath.Join(dir, "fifo")}
	if err := unix.Mkfifo(fifo.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	file := newStream(t, dir, "stderr", 0)
	c, ends := begin(t, fifo, file)
	go func() {
		for {
			if _, err := ends[0].Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
				return
			}
		}
	}()
	write(t, ends[1], "hello\n")
	wait.Until(t, "the other stream", func() bool { return read(t, file.Path) == "hello\n" })
	c.Close()
}

// TestCountsAllThatIsLost: what the copier had read when its write failed is counted as
// well, so what is kept and what is counted are all there was.
func TestCountsAllThatIsLost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := newStream(t, dir, "stdout", 0)
	c, ends := begin(t, s)
	const lines = 16 << 10
	for i := range lines {
		write(t, ends[0], fmt.Sprintf("%063d\n", i))
	}
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	// More than what may be on its way, which may still find no room.
	const more = 4 << 10
	for range more {
		write(t, ends[0], fmt.Sprintf("%063d\n", 99_999))
	}
	finish(t, c, ends)
	text := read(t, s.Path)
	if !strings.HasSuffix(text, fmt.Sprintf("\n%063d\n", 99_999)) {
		t.Errorf("ends in %q", text[max(0, len(text)-80):])
	}
	// A line that was cut is ended with a new line, which is one byte more.
	loss, err := executor.ReadLoss(s.Path)
	extra := int64(len(text)) + loss.Bytes - (lines+more)*64
	if err != nil || loss.Gaps != 1 || extra < 0 || extra > 1 {
		t.Errorf("%+v, %v, and %d bytes of %d are kept", loss, err, len(text), (lines+more)*64)
	}
	if list := notesOf(t, s); list[len(list)-1].Offset != int64(len(text)) {
		t.Errorf("the last note is %+v, the file has %d bytes", list[len(list)-1], len(text))
	}
}

// BenchmarkCopy copies 256 MB in pieces of 32 KB, as a workload writes them, beside a
// plain copy of the standard library.
func BenchmarkCopy(b *testing.B) {
	const size, piece = 256 << 20, 32 << 10
	data := bytes.Repeat([]byte("x"), piece)
	fill := func(w io.WriteCloser, piece []byte) {
		for range size / len(piece) {
			if _, err := w.Write(piece); err != nil {
				b.Error(err)
			}
		}
		w.Close()
	}
	for _, piece := range []int{32 << 10, 128} {
		b.Run(fmt.Sprintf("piece=%d/capture", piece), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				s := newStream(b, b.TempDir(), "stdout", 0)
				c, ends := begin(b, s)
				go fill(ends[0], data[:piece])
				c.Wait(context.Background())
				os.Remove(s.Path)
			}
		})
		b.Run(fmt.Sprintf("piece=%d/io.Copy", piece), func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				s := newStream(b, b.TempDir(), "stdout", 0)
				f, err := os.OpenFile(s.Path, os.O_RDWR|os.O_APPEND, 0)
				if err != nil {
					b.Fatal(err)
				}
				from, to, err := os.Pipe()
				if err != nil {
					b.Fatal(err)
				}
				go fill(to, data[:piece])
				_, _ = io.Copy(f, from)
				from.Close()
				f.Close()
				os.Remove(s.Path)
			}
		})
	}
}
