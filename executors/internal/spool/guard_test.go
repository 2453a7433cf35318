package spool

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

var ref = executor.Ref{ID: "c", Attempt: 1}

// workload is a stream with a copier that behaves as a shim's does. The test's
// process is the shim.
type workload struct {
	t       *testing.T
	path    string
	in, out *os.File
	copied  chan struct{} // closed when the copier has ended
}

func newWorkload(t *testing.T, dir string) *workload {
	t.Helper()
	w := &workload{t: t, path: filepath.Join(dir, "stdout"), copied: make(chan struct{})}
	file, err := os.OpenFile(w.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if w.out, w.in, err = os.Pipe(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.in.Close(); <-w.copied; w.out.Close() })
	go func() {
		defer close(w.copied)
		_, _ = io.CopyBuffer(struct{ io.Writer }{file}, struct{ io.Reader }{w.out}, make([]byte, 32<<10))
		file.Close()
	}()
	return w
}

// guard begins to guard the workload.
func (w *workload) guard(max int64) *Guard {
	w.t.Helper()
	g := NewGuard(nil, 100*time.Millisecond)
	w.t.Cleanup(g.Close)
	var st syscall.Stat_t
	if err := syscall.Fstat(int(w.out.Fd()), &st); err != nil {
		w.t.Fatal(err)
	}
	g.add(ref, []*guarded{{ref: ref, name: "stdout", path: w.path, max: max, copier: copier{shim: os.Getpid(), pipe: st.Ino}}})
	return g
}

func (w *workload) text() string {
	w.t.Helper()
	text, err := os.ReadFile(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// smallDisk mounts a file system with room for some KiB.
func smallDisk(t *testing.T, kib int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func lossOf(t *testing.T, path string) executor.Loss {
	t.Helper()
	loss, err := executor.ReadLoss(path)
	if err != nil {
		t.Fatal(err)
	}
	return loss
}

// line is a line of 64 bytes.
func line(i int) string { return fmt.Sprintf("%062d;\n", i) }

func TestWorkloadOutlivesAFullDisk(t *testing.T) {
	dir := smallDisk(t, 256)
	w := newWorkload(t, dir)
	g := w.guard(0)
	// This is far more than file and pipe have room for: all of it is read all the
	// same.
	const lines = 16 << 10
	for i := range lines {
		if _, err := w.in.WriteString(line(i)); err != nil {
			t.Fatal(err)
		}
	}
	loss := lossOf(t, w.path)
	if loss.Gaps != 1 {
		t.Errorf("got %+v, want one gap", loss)
	}
	// Once there is room, what comes next is kept again, and no line is made of two.
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	extra := 0
	wait.Until(t, "output is kept again", func() bool {
		extra++
		if _, err := w.in.WriteString(line(99_999)); err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(w.text(), "\n"+line(99_999))
	})
	w.in.Close()
	if got := g.Finish(t.Context(), ref, time.Minute); got != executor.Truncated {
		t.Errorf("output with a gap is called %q", got)
	}
	text := w.text()
	whole := 0
	for l := range strings.Lines(text) {
		if len(l) == 64 {
			whole++
		}
	}
	if torn := strings.Count(text, "\n") - whole; torn > 1 {
		t.Errorf("%d lines are torn, want at most the one that was cut", torn)
	}
	loss = lossOf(t, w.path)
	if missing := int64(lines+extra)*64 - int64(len(text)) - loss.Bytes; loss.Gaps != 1 || missing < -1 || missing > 32<<10 {
		t.Errorf("%+v: %d bytes are neither kept nor counted, want at most 32 KiB", loss, missing)
	}
}

// TestWorkloadOutlivesAReadOnlyDisk: a disk that becomes read-only ends a copier,
// too. The workload goes on although the file cannot even be opened.
func TestWorkloadOutlivesAReadOnlyDisk(t *testing.T) {
	dir := smallDisk(t, 64)
	w := newWorkload(t, dir)
	big := bytes.Repeat([]byte(line(1)), 4<<10)
	if _, err := w.in.Write(big[:128<<10]); err != nil { // the disk is full
		t.Fatal(err)
	}
	wait.Until(t, "the copier has ended", func() bool {
		select {
		case <-w.copied:
			return true
		default:
			return false
		}
	})
	remount := func(flags uintptr, data string) {
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|flags, data); err != nil {
			t.Fatal(err)
		}
	}
	remount(unix.MS_RDONLY, "")
	g := w.guard(0)
	if _, err := w.in.Write(big); err != nil {
		t.Fatal(err)
	}
	remount(0, "size=8m")
	wait.Until(t, "output is kept again", func() bool {
		if _, err := w.in.WriteString(line(2)); err != nil {
			t.Fatal(err)
		}
		return strings.HasSuffix(w.text(), "\n"+line(2))
	})
	w.in.Close()
	g.Finish(t.Context(), ref, time.Minute)
	// Of 384 KiB, the disk took 64, and the pipe and the buffers of both copiers have
	// room for 128, which may have been kept.
	if loss := lossOf(t, w.path); loss.Gaps != 1 || loss.Bytes < 190<<10 {
		t.Errorf("got %+v, want one gap of more than 190 KiB", loss)
	}
}

func TestNextGuardGoesOnWithARescue(t *testing.T) {
	dir := smallDisk(t, 128)
	w := newWorkload(t, dir)
	first := w.guard(0)
	big := bytes.Repeat([]byte(line(1)), 8<<10)
	if _, err := w.in.Write(big); err != nil { // hangs unless it is rescued
		t.Fatal(err)
	}
	first.Close()
	before := lossOf(t, w.path)
	second := w.guard(0)
	if _, err := w.in.Write(big); err != nil {
		t.Fatal(err)
	}
	w.in.Close()
	second.Finish(t.Context(), ref, time.Minute)
	if after := lossOf(t, w.path); after.Gaps != before.Gaps+1 || after.Bytes < before.Bytes+300<<10 {
		t.Errorf("got %+v after %+v, want one more gap and what came since", after, before)
	}
}

func TestNothingIsMissingFromAHealthyStream(t *testing.T) {
	w := newWorkload(t, t.TempDir())
	g := w.guard(0)
	if _, err := w.in.WriteString("hello\n"); err != nil {
		t.Fatal(err)
	}
	w.in.Close()
	<-w.copied
	if got := g.Finish(t.Context(), ref, time.Minute); got != executor.Complete {
		t.Errorf("called %q", got)
	}
	if got := g.Finish(t.Context(), ref, time.Minute); got != "" {
		t.Errorf("nothing that is looked after is called %q", got)
	}
	if loss := lossOf(t, w.path); loss != (executor.Loss{}) || w.text() != "hello\n" {
		t.Errorf("got %q, %+v", w.text(), loss)
	}
}

func TestFileIsBoundedWithoutAHost(t *testing.T) {
	w := newWorkload(t, t.TempDir())
	const max = 1 << 20
	w.guard(max)
	data := bytes.Repeat([]byte(line(7)), 1<<10)
	for range 16 << 20 / len(data) {
		if _, err := w.in.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	wait.Until(t, "the file has no more than twice its limit", func() bool {
		var st syscall.Stat_t
		if err := syscall.Stat(w.path, &st); err != nil {
			t.Fatal(err)
		}
		return st.Size >= 15<<20 && st.Blocks*512 <= 2*max
	})
	if text := w.text(); !strings.HasSuffix(text, strings.Repeat(line(7), 1000)) {
		t.Error("the newest output is not kept")
	}
}

func TestLossOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	want := executor.Loss{}
	for _, next := range []executor.Loss{{}, {Gaps: 1}, {Gaps: 2, Bytes: 1 << 40}} {
		if got := lossOf(t, path); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		want = next
		if err := next.Note(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr(path, executor.LossAttribute, []byte("junk"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := executor.ReadLoss(path); err == nil {
		t.Error("junk is read without an error")
	}
}
