package output

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/notes"
)

var webRef = executor.Ref{ID: "web", Attempt: 1}

// notices collects the notices of a tracker.
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

func newTracker(t testing.TB, w *linux.Watcher) (*Tracker, *notices) {
	t.Helper()
	n := new(notices)
	tr := NewTracker(w, n.add, nil)
	t.Cleanup(tr.Close)
	return tr, n
}

// noted returns the notes of a stream.
func noted(t testing.TB, path string) []notes.Note {
	t.Helper()
	x, err := openIndex(path + indexSuffix)
	if err != nil {
		t.Fatal(err)
	}
	defer x.close()
	return x.list
}

func TestIndexRecordsTimes(t *testing.T) {
	const slack = 20 * time.Millisecond // file times are a tick behind
	t.Parallel()                        // it sleeps
	w := newWatcher(t)
	tr, _ := newTracker(t, w)
	files := newFiles(t, false)
	if err := tr.Add(capped(files, 0)); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := appendTo(t, files.Stdout), appendTo(t, files.Stderr)
	var moments, after []time.Time // around each line
	var want strings.Builder
	for i := range 3 {
		f := stdout
		if i == 1 {
			f = stderr
		}
		moments = append(moments, time.Now())
		write(t, f, fmt.Sprintf("line %d\n", i))
		after = append(after, time.Now())
		fmt.Fprintf(&want, "line %d\n", i)
		// Lines that come one after the other are told apart if an entry is in between.
		wait.Until(t, "the line is in the index", func() bool {
			got := noted(t, []string{files.Stdout, files.Stderr}[i%2])
			return len(got) > 0 && got[len(got)-1].Offset == int64(7*(1+i/2))
		})
		time.Sleep(5 * slack)
	}
	if got := noted(t, files.Stdout); len(got) != 2 || got[1].Offset != 14 {
		t.Errorf("index of stdout holds %v", got)
	}
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
				if at := c.Notes[len(c.Notes)-1].At; at.Before(moments[i].Add(-slack)) || at.After(after[i]) {
					t.Errorf("%q was written between %v and %v, and has the time %v", c.Data, moments[i], after[i], at)
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
	if err := tr.Add(capped(files, 1<<20)); err != nil {
		t.Fatal(err)
	}
	f := appendTo(t, files.Stdout)
	start := time.Now()
	wait.Until(t, "the index has entries", func() bool {
		write(t, f, "tick\n")
		return len(noted(t, files.Stdout)) >= 2
	})
	tr.Remove(webRef)
	got := noted(t, files.Stdout)
	most := int(time.Since(start)/noteInterval) + 2 // one before, and one at the end
	st, err := os.Stat(files.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > most || got[len(got)-1].Offset != st.Size() {
		t.Errorf("%d notes, %v; want at most %d and the last at %d", len(got), got, most, st.Size())
	}
	// One that takes over goes on, and knows what it did not see as such.
	write(t, f, "unseen\n")
	tr.Close()
	tr, _ = newTracker(t, w)
	if err := tr.Add(capped(files, 1<<20)); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "a note for what was written meanwhile", func() bool { return len(noted(t, files.Stdout)) == len(got)+1 })
}

func TestCap(t *testing.T) {
	const cap = 1 << 20
	w := newWatcher(t)
	tr, notices := newTracker(t, w)
	files := newFiles(t, true)
	if err := tr.Add(capped(files, cap)); err != nil {
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
	wait.Until(t, "the cap holds at the end", func() bool {
		u, _, err := files.Usage()
		return err == nil && u.Written == lines*size && u.Written-u.Dropped <= cap
	})
	t.Logf("at most %d KiB were held, the cap is %d KiB", held>>10, cap>>10)
	if held > 32*cap {
		t.Errorf("%d bytes were held at a time", held)
	}
	list := notices.all()
	if len(list) == 0 || len(list) > 12 || list[0].Ref != webRef || list[0].Dropped == 0 || list[0].Err != nil {
		t.Errorf("notices are %v", list)
	}
}

func TestCapAfterRestart(t *testing.T) {
	w := newWatcher(t)
	files := newFiles(t, true)
	write(t, appendTo(t, files.Stdout), strings.Repeat("0123456789abcde\n", 1<<16)) // 1 MiB while no host was there
	tr, _ := newTracker(t, w)
	if err := tr.Add(capped(files, 64<<10)); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the cap holds", func() bool {
		u, _, err := files.Usage()
		return err == nil && u.Written == 1<<20 && u.Written-u.Dropped <= 64<<10
	})
	if err := tr.Add(capped(files, 16<<10)); err != nil {
		t.Fatal(err)
	}
	write(t, appendTo(t, files.Stdout), "more\n")
	wait.Until(t, "the new cap holds", func() bool {
		u, _, err := files.Usage()
		return err == nil && u.Written-u.Dropped <= 16<<10
	})
}

// TestTrackerRests: of many streams only the one that is written to is looked at.
func TestTrackerRests(t *testing.T) {
	const attempts = 1000
	w := newWatcher(t)
	tr, _ := newTracker(t, w)
	var all []Files
	dir, _ := openDir(t)
	for i := range attempts {
		files, err := dir.Create(executor.Ref{ID: fmt.Sprint("c", i), Attempt: 1}, Layout{Max: 1 << 20})
		if err == nil {
			err = tr.Add(files)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files)
	}
	// looked returns when each stream was looked at, and whether all rest.
	looked := func() (at map[string]time.Time, rest bool) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		at, rest = make(map[string]time.Time), true
		for _, list := range tr.attempts {
			for _, s := range list {
				at[s.path], rest = s.looked, rest && s.watched && s.next.IsZero()
			}
		}
		return at, rest
	}
	resting := func() bool { _, rest := looked(); return rest }
	wait.Until(t, "all rest", resting)
	before, _ := looked()
	f, size := appendTo(t, all[0].Stdout), int64(0)
	for range 10 {
		write(t, f, "more\n")
		size += 5
		wait.Until(t, "it was looked at", func() bool {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			return tr.attempts[all[0].Ref][0].size == size
		})
	}
	wait.Until(t, "all rest again", resting)
	after, _ := looked()
	for path, at := range after {
		if path != all[0].Stdout && !at.Equal(before[path]) {
			t.Errorf("%s rests, and was looked at", path)
		}
	}
}

func TestTrackerErrors(t *testing.T) {
	w := newWatcher(t)
	tr, _ := newTracker(t, w)
	files := newFiles(t, false)
	if err := os.Remove(files.Stderr); err != nil {
		t.Fatal(err)
	}
	if err := tr.Add(capped(files, 0)); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("Add without files: %v", err)
	}
	tr.Remove(webRef)
	files = newFiles(t, false)
	if err := tr.Add(capped(files, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files.Stdout); err != nil {
		t.Fatal(err)
	}
	tr.Remove(webRef)
	tr.Close()
	if err := tr.Add(capped(files, 0)); executor.CodeOf(err) != executor.Unavailable {
		t.Errorf("Add after Close: %v", err)
	}
}

func TestIndexWithGarbage(t *testing.T) {
	files := newFiles(t, true)
	at := time.Now()
	good := notes.Note{Offset: 100, At: at, Span: time.Second}
	data := append(make([]byte, notes.Size), good.Append(nil)...) // a hole's rest
	bad := good.Append(nil)
	bad[3]++
	data = append(data, bad...)
	data = append(data, good.Append(nil)[:10]...) // torn
	path := files.Stdout + indexSuffix
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := notes.Open(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := notes.Write(f, notes.Note{Offset: 200, At: at.Add(time.Second), Span: time.Second}.Append(nil)); err != nil {
		t.Fatal(err)
	}
	got := noted(t, files.Stdout)
	if len(got) != 2 || got[0].Offset != 100 || !got[0].At.Equal(at) || got[0].Span != time.Second || got[1].Offset != 200 {
		t.Errorf("index holds %v", got)
	}
}

// TestIndexIsFIFO checks that the tracker, which has one lock for all containers, waits
// for nobody where an index should be.
func TestIndexIsFIFO(t *testing.T) {
	files := newFiles(t, true)
	path := files.Stdout + indexSuffix
	_ = os.Remove(path)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := notes.Open(path, os.O_CREATE); !errors.Is(err, linux.ErrNotRegular) {
		t.Errorf("to append: got %v", err)
	}
	if _, err := openIndex(path); !errors.Is(err, linux.ErrNotRegular) {
		t.Errorf("to read: got %v", err)
	}
}

// A long index is halved in memory, and its spans say so.
func TestIndexIsThinned(t *testing.T) {
	files := newFiles(t, true)
	var data []byte
	const n = maxNotes + 1001
	for i := range n {
		data = notes.Note{Offset: int64(i + 1), At: time.Unix(int64(i), 0)}.Append(data)
	}
	if err := os.WriteFile(files.Stdout+indexSuffix, data, 0o600); err != nil {
		t.Fatal(err)
	}
	list := noted(t, files.Stdout)
	if len(list) > maxNotes || list[len(list)-1].Offset != n {
		t.Fatalf("%d notes up to %d", len(list), list[len(list)-1].Offset)
	}
	if first := list[0]; first.Offset != 2 || !first.At.Equal(time.Unix(1, 0)) || first.Span != time.Second {
		t.Errorf("the first of them: got %+v", first)
	}
}

func FuzzIndex(f *testing.F) {
	f.Add(notes.Note{Offset: 1, At: time.Unix(1, 0)}.Append(nil))
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
		for i := range int64(10) {
			if came := x.at(i); len(came) > 0 && came[0].Offset <= i {
				t.Errorf("the note of %d is %+v", i, came[0])
			}
			x.since(time.Unix(i, 0))
		}
	})
}

// capped returns files of the attempt webRef with a cap.
func capped(files Files, max int64) Files {
	files.Ref, files.Layout.Max = webRef, max
	return files
}
