package store

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// watcher is an Observer that remembers.
type watcher struct {
	commits int
	exits   []string
}

func (w *watcher) Committed(_ time.Duration, err error) {
	if err == nil {
		w.commits++
	}
}

func (w *watcher) Exited(backend string, source executor.Provenance) {
	w.exits = append(w.exits, backend+" "+string(source))
}

// TestObserver checks that what was undone, or written before, is not told.
func TestObserver(t *testing.T) {
	var w watcher
	s, err := Open(filepath.Join(t.TempDir(), "db"), Options{Observer: &w})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(t.Context(), func(tx *Tx) error {
		return tx.CreateContainer(&Container{ID: "a", Backend: "b", State: Creating, Attempt: 1}, []byte("{}"))
	})
	if err != nil {
		t.Fatal(err)
	}
	put := func(then error) error {
		return s.Update(t.Context(), func(tx *Tx) error {
			if _, _, err := tx.PutExit(executor.Ref{ID: "a", Attempt: 1}, *executor.LostExit("gone")); err != nil {
				return err
			}
			return then
		})
	}
	opened := w.commits
	no := errors.New("no")
	if err := put(no); !errors.Is(err, no) {
		t.Fatal(err)
	}
	if len(w.exits) > 0 {
		t.Errorf("an end that was undone was told: %q", w.exits)
	}
	for range 2 {
		if err := put(nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(t.Context(), func(*Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(w.exits, []string{"b lost"}) || w.commits <= opened {
		t.Errorf("got exits %q and %d commits after %d", w.exits, w.commits, opened)
	}
}
