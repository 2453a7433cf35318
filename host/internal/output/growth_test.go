package output

import (
	"os"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// TestGrowth writes more than a stream may keep, and tracks it anew as the next host does.
func TestGrowth(t *testing.T) {
	dir, err := OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	w := linux.NewWatcher()
	defer w.Close()
	const size, most = 3 << 20, 1 << 20
	ref := executor.Ref{ID: "a", Attempt: 1}
	files, err := dir.Create(ref, Layout{Merged: true, Max: most})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var sum Growth
	track := func() *Tracker {
		sum = Growth{}
		tr := NewTracker(w, nil, func(g Growth) {
			mu.Lock()
			defer mu.Unlock()
			sum.Written, sum.Dropped = sum.Written+g.Written, sum.Dropped+g.Dropped
		})
		if err := tr.Add(files); err != nil {
			t.Fatal(err)
		}
		return tr
	}
	write := func() {
		f, err := os.OpenFile(files.Stdio().Stdout.Path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	tr := track()
	write()
	wait.Until(t, "the growth is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return sum.Written == size && sum.Dropped >= size-most
	})
	tr.Close()
	dropped := sum.Dropped
	tr = track()
	defer tr.Close()
	write()
	wait.Until(t, "the growth is told again", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return sum.Written >= size && sum.Dropped > 0
	})
	tr.Remove(ref)
	mu.Lock()
	defer mu.Unlock()
	if sum.Written != size || sum.Dropped+dropped > 2*size {
		t.Errorf("the next tracker told %+v after %d bytes", sum, size)
	}
}
