package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// looks counts how often a Guard looks at each file.
type looks struct {
	mu sync.Mutex
	of map[string]int
}

func (l *looks) lstat(path string, st *syscall.Stat_t) error {
	l.mu.Lock()
	l.of[path]++
	l.mu.Unlock()
	return syscall.Lstat(path, st)
}

func (l *looks) at(path string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[path]
}

// TestNothingIsLookedAtAtRest: of many streams only the one that grows is looked at
// again, and a copier that dies is noticed all the same.
func TestNothingIsLookedAtAtRest(t *testing.T) {
	const streams, last = 2000, 1999
	dir := t.TempDir()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var pipe syscall.Stat_t
	if err := syscall.Fstat(int(out.Fd()), &pipe); err != nil {
		t.Fatal(err)
	}
	looks := &looks{of: make(map[string]int)}
	g := NewGuard(nil, time.Millisecond)
	g.mu.Lock()
	g.lstat = looks.lstat
	g.mu.Unlock()
	defer g.Close()
	refs, files := make([]executor.Ref, streams), make([]string, streams)
	for i := range files {
		refs[i], files[i] = executor.Ref{ID: fmt.Sprint("c", i), Attempt: 1}, filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(files[i], nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s := &guarded{ref: refs[i], name: "stdout", path: files[i], max: 1 << 20, copier: copier{shim: os.Getpid(), pipe: pipe.Ino, file: files[i]}}
		if i == last { // nothing but the end of its copier wakes it
			s.max = 0
		}
		g.add(refs[i], []*guarded{s})
	}
	open := func(i int) *os.File {
		f, err := os.OpenFile(files[i], os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	growing, dying := open(0), open(last)
	defer growing.Close()
	defer dying.Close()
	g.mu.Lock()
	g.attempts[refs[last]][0].copier.file = ""
	g.mu.Unlock()
	resting := func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.due) == 0 && g.watcher.Armed() == streams
	}
	wait.Until(t, "all rest", resting)
	before := make(map[string]int)
	for _, f := range files {
		before[f] = looks.at(f)
	}
	wait.Until(t, "the one that grows was looked at a hundred times", func() bool {
		if _, err := growing.WriteString(line(1)); err != nil {
			t.Fatal(err)
		}
		return looks.at(files[0]) > before[files[0]]+100
	})
	for _, f := range files[1:] {
		if more := looks.at(f) - before[f]; more > 0 {
			t.Errorf("%s rests, and was looked at %d times", filepath.Base(f), more)
		}
	}
	wait.Until(t, "all rest again", resting)

	// A copier dies that has never written anything: of a stream without a limit, too.
	dying.Close()
	wait.Until(t, "copying is continued", func() bool {
		if _, err := in.WriteString("x"); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(files[last])
		return err == nil && st.Size() > 0
	})
	in.Close()
	if got := g.Finish(t.Context(), refs[last], time.Minute); got != executor.Truncated {
		t.Errorf("output with a gap is called %q", got)
	}
	for _, ref := range refs {
		g.Forget(ref)
	}
	if n := g.watcher.Armed(); n != 0 {
		t.Errorf("%d files are still watched", n)
	}
}

// TestFilesThatCannotBeWatched: the promises hold without inotify, by looking again
// and again.
func TestFilesThatCannotBeWatched(t *testing.T) {
	w := newWorkload(t, smallDisk(t, 64))
	g := w.guard(0)
	if err := g.watcher.Close(); err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.wakes.add(g.attempts[ref][0])
	g.mu.Unlock()
	for i := range 4 << 10 {
		if _, err := w.in.WriteString(line(i)); err != nil {
			t.Fatal(err)
		}
	}
	w.in.Close()
	if got := g.Finish(t.Context(), ref, time.Minute); got != executor.Truncated {
		t.Errorf("output with a gap is called %q", got)
	}
}
