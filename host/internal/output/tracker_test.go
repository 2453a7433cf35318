package output

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/internal/stream"
	"github.com/davit-run/davit/shared/executor"
)

var webRef = executor.Ref{ID: "web", Attempt: 1}

// notices collects what a tracker tells.
type notices struct {
	mu   sync.Mutex
	list []Notice
}

func (n *notices) add(one Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, one)
}

func (n *notices) all() []Notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]Notice(nil), n.list...)
}

func newTracker(t testing.TB, w *Watcher) (*Tracker, *notices) {
	t.Helper()
	n := new(notices)
	tr := NewTracker(w, n.add)
	t.Cleanup(tr.Close)
	return tr, n
}

// eventually waits until ok, for some seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func entries(t testing.TB, files Files, s stream.Stream) []entry {
	t.Helper()
	x, err := openIndex(files.Index)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	return x.entries[s]
}

func TestIndexTellsWhen(t *testing.T) {
	t.Parallel() // it sleeps
	w := newWatcher(t)
	tr, _ := newTracker(t, w)
	files := newFiles(t, false)
	if err := tr.Add(webRef, files, 0); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := appendTo(t, files.Stdout), appendTo(t, files.Stderr)
	var moments []time.Time
	var want strings.Builder
	for i := range 3 {
		f := stdout
		if i == 1 {
			f = stderr
		}
		moments = append(moments, time.Now())
		write(t, f, fmt.Sprintf("line %d\n", i))
		fmt.Fprintf(&want, "line %d\n", i)
		time.Sleep(entryInterval + 200*time.Millisecond)
	}
	if got := entries(t, files, stream.Stdout); len(got) != 2 || got[1].offset != 14 {
		t.Errorf("index of stdout holds %v", got)
	}
	const slack = 60 * time.Millisecond // file times are a tick behind; machines are slow
	between := moments[1].Add(-slack)
	for name, tc := range map[string]struct {
		opts ReadOptions
		want string
	}{
		"in the order of time": {ReadOptions{}, want.String()},
		"since":                {ReadOptions{Since: between}, "line 1\nline 2\n"},
		"until":                {ReadOptions{Until: moments[2].Add(-slack)}, "line 0\nline 1\n"},
		"until before":         {ReadOptions{Until: moments[0].Add(-time.Hour)}, ""},
		"since later":          {ReadOptions{Since: time.Now().Add(time.Hour)}, ""},
		"tail counts both":     {ReadOptions{Tail: new(2)}, "line 1\nline 2\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, w, files, tc.opts)
			var got strings.Builder
			for {
				c, err := r.Next(t.Context())
				if err != nil {
					break
				}
				var i int
				fmt.Sscanf(string(c.Data), "line %d", &i)
				if d := c.Time.Sub(moments[i]); d < -slack || d > slack {
					t.Errorf("%q has a time %v off", c.Data, d)
				}
				got.Write(c.Data)
			}
			if got.String() != tc.want {
				t.Errorf("got %q, want %q", got.String(), tc.want)
			}
		})
	}
}

func TestIndexIsSparse(t *testing.T) {
	t.Parallel() // it sleeps
	w := newWatcher(t)
	tr, _ := newTracker(t, w)
	files := newFiles(t, true)
	if err := tr.Add(webRef, files, 1<<20); err != nil {
		t.Fatal(err)
	}
	f := appendTo(t, files.Stdout)
	for start := time.Now(); time.Since(start) < 2500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		write(t, f, "tick\n")
	}
	tr.Remove(webRef)
	got := entries(t, files, stream.Stdout)
	st, err := os.Stat(files.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 2 || len(got) > 5 || got[len(got)-1].offset != st.Size() {
		t.Errorf("%d entries, %v; want 2 to 5 and the last at %d", len(got), got, st.Size())
	}
	// One that takes over goes on, and knows what it did not see as such.
	write(t, f, "unseen\n")
	tr.Close()
	tr, _ = newTracker(t, w)
	if err := tr.Add(webRef, files, 1<<20); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an entry for what was written meanwhile", func() bool { return len(entries(t, files, stream.Stdout)) == len(got)+1 })
}

func TestCap(t *testing.T) {
	const cap = 1 << 20
	w := newWatcher(t)
	tr, told := newTracker(t, w)
	files := newFiles(t, true)
	if err := tr.Add(webRef, files, cap); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	r := newReader(t, w, files, ReadOptions{Done: done})
	slow := newReader(t, w, files, ReadOptions{Done: done}) // does not read until the end
	f := appendTo(t, files.Stdout)
	line := func(i int) string { return fmt.Sprintf("line %07d %s\n", i, strings.Repeat("x", 83)) } // 97 bytes
	const lines = 60_000
	size := int64(len(line(0)))
	var held int64
	go func() {
		defer close(done)
		var batch strings.Builder
		for i := range lines {
			batch.WriteString(line(i))
			if batch.Len() > 32<<10 || i == lines-1 {
				write(t, f, batch.String())
				batch.Reset()
				time.Sleep(100 * time.Microsecond)
				var st unix.Stat_t
				if err := unix.Fstat(int(f.Fd()), &st); err == nil {
					held = max(held, st.Blocks*512)
				}
			}
		}
	}()
	for name, r := range map[string]*Reader{"quick": r, "slow": slow} {
		var next, dropped int64
		for {
			c, err := r.Next(t.Context())
			if err != nil {
				break
			}
			if c.Offset-c.Dropped != next || c.Dropped > 0 && c.Offset%size != 0 {
				t.Fatalf("%s: after %d comes %d, %d were dropped", name, next, c.Offset, c.Dropped)
			}
			for i, b := range c.Data {
				if at := c.Offset + int64(i); b != line(int(at / size))[at%size] {
					t.Fatalf("%s: byte %d is %q", name, at, b)
				}
			}
			next, dropped = c.Offset+int64(len(c.Data)), dropped+c.Dropped
		}
		if next != lines*size {
			t.Errorf("%s: ended at %d of %d", name, next, lines*size)
		}
		t.Logf("%s reader missed %d of %d bytes", name, dropped, next)
	}
	eventually(t, "the cap holds at the end", func() bool {
		u, _, err := files.Usage()
		return err == nil && u.Written == lines*size && u.Written-u.Dropped <= cap
	})
	t.Logf("at most %d KiB were held, the cap is %d KiB", held>>10, cap>>10)
	if held > 32*cap {
		t.Errorf("%d bytes were held at a time", held)
	}
	list := told.all()
	if len(list) == 0 || len(list) > 12 || list[0].Ref != webRef || list[0].Dropped == 0 || list[0].Err != nil {
		t.Errorf("notices are %v", list)
	}
}

func TestCapAfterRestart(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, true)
	write(t, appendTo(t, files.Stdout), strings.Repeat("0123456789abcde\n", 1<<16)) // 1 MiB while no host was there
	tr, _ := newTracker(t, w)
	if err := tr.Add(webRef, files, 64<<10); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cap holds", func() bool {
		u, _, err := files.Usage()
		return err == nil && u.Written == 1<<20 && u.Written-u.Dropped <= 64<<10
	})
	if err := tr.Add(webRef, files, 16<<10); err != nil {
		t.Fatal(err)
	}
	write(t, appendTo(t, files.Stdout), "more\n")
	eventually(t, "the new cap holds", func() bool {
		u, _, err := files.Usage()
		return err == nil && u.Written-u.Dropped <= 16<<10
	})
}

func TestTrackerErrors(t *testing.T) {
	w := newWatcher(t)
	tr, _ := newTracker(t, w)
	files := newFiles(t, false)
	if err := os.Remove(files.Stderr); err != nil {
		t.Fatal(err)
	}
	if err := tr.Add(webRef, files, 0); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("Add without files: %v", err)
	}
	tr.Remove(webRef)
	files = newFiles(t, false)
	if err := tr.Add(webRef, files, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files.Stdout); err != nil {
		t.Fatal(err)
	}
	tr.Remove(webRef)
	tr.Close()
	if err := tr.Add(webRef, files, 0); executor.CodeOf(err) != executor.Unavailable {
		t.Errorf("Add after Close: %v", err)
	}
}

func TestIndexWithGarbage(t *testing.T) {
	files := newFiles(t, true)
	at := time.Now()
	good := entry{stream: stream.Stdout, offset: 100, at: at, span: time.Second}
	data := append(make([]byte, entrySize), good.append(nil)...) // a hole's rest
	bad := good.append(nil)
	bad[3]++
	data = append(data, bad...)
	data = append(data, good.append(nil)[:10]...) // torn
	if err := os.WriteFile(files.Index, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := appendEntry(files.Index, entry{stream: stream.Stdout, offset: 200, at: at.Add(time.Second), span: time.Second}); err != nil {
		t.Fatal(err)
	}
	got := entries(t, files, stream.Stdout)
	if len(got) != 2 || got[0].offset != 100 || !got[0].at.Equal(at) || got[0].span != time.Second || got[1].offset != 200 {
		t.Errorf("index holds %v", got)
	}
}

func TestIndexIsTrimmed(t *testing.T) {
	files := newFiles(t, false)
	var data []byte
	n := 2 * indexSlack / entrySize
	for i := range n {
		data = entry{stream: stream.Stdout + stream.Stream(i%2), offset: int64(i), at: time.Unix(int64(i), 0)}.append(data)
	}
	if err := os.WriteFile(files.Index, data, 0o600); err != nil {
		t.Fatal(err)
	}
	low := int64(n) * 3 / 4
	if err := trimIndex(files.Index, map[stream.Stream]int64{stream.Stdout: low, stream.Stderr: low + 10}); err != nil {
		t.Fatal(err)
	}
	if at := firstDataOf(t, files.Index); at == 0 || at > (low+1)*entrySize {
		t.Errorf("index begins at %d, want just before %d", at, low*entrySize)
	}
	for _, s := range []stream.Stream{stream.Stdout, stream.Stderr} {
		got := entries(t, files, s)
		if len(got) == 0 || got[0].offset > low+2 || got[len(got)-1].offset < int64(n-2) {
			t.Errorf("%s has %d entries: %v", s, len(got), got[:min(2, len(got))])
		}
	}
}

func firstDataOf(t testing.TB, path string) int64 {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return firstData(f, 0)
}

func FuzzIndex(f *testing.F) {
	f.Add(entry{stream: stream.Stdout, offset: 1, at: time.Unix(1, 0)}.append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := t.TempDir() + "/index"
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := openIndex(path)
		if err != nil {
			t.Fatal(err)
		}
		defer x.close()
		for i := range 10 {
			x.at(stream.Stdout, int64(i))
			x.since(stream.Stderr, time.Unix(int64(i), 0))
		}
		if len(data) >= entrySize {
			if e, ok := parseEntry(data[:entrySize]); ok && binary.BigEndian.Uint64(data) != uint64(e.offset) {
				t.Errorf("entry is %v", e)
			}
		}
	})
}
