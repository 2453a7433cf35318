package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// stall keeps the committer busy until the function it returns is called, so that
// what comes meanwhile shares a commit.
func stall(t *testing.T, s *Store) (release func()) {
	t.Helper()
	running, end, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- s.Update(context.Background(), func(*Tx) error {
			close(running)
			<-end
			return nil
		})
	}()
	<-running
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// queued waits until n updates are waiting.
func queued(t *testing.T, s *Store, n int) {
	t.Helper()
	wait.Until(t, fmt.Sprintf("%d updates are waiting", n), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.queue) == n
	})
}

func TestFailuresInASharedCommit(t *testing.T) {
	s := openTemp(t)
	mustUpdate(t, s, create("old"))
	want := errors.New("changed its mind")
	release := stall(t, s)
	var callers sync.WaitGroup
	var errs [30]error
	var runs [30]int
	for i := range errs {
		callers.Go(func() {
			errs[i] = s.Update(t.Context(), func(tx *Tx) error {
				runs[i]++
				if err := create(fmt.Sprintf("c%d", i))(tx); err != nil {
					return err
				}
				switch i % 3 {
				case 1: // fails after it has changed, removed and added things
					c, err := tx.Container("old")
					if err != nil {
						return err
					}
					c.PID, c.Name = 99, "renamed"
					return errors.Join(tx.PutContainer(c), tx.RemoveContainer("old"), create("old")(tx), want)
				case 2:
					panic("a fault of the caller's")
				}
				return nil
			})
		})
	}
	queued(t, s, len(errs))
	release()
	callers.Wait()
	mustView(t, s, func(tx *Tx) error {
		for i, err := range errs {
			ok := i%3 == 0 && err == nil || i%3 == 1 && errors.Is(err, want) || i%3 == 2 && executor.CodeOf(err) == executor.Internal
			if !ok || runs[i] != 1 {
				t.Errorf("update %d: %v after %d runs", i, err, runs[i])
			}
			if _, err := tx.Container(fmt.Sprintf("c%d", i)); (err == nil) != (i%3 == 0) {
				t.Errorf("container %d: %v", i, err)
			}
		}
		if c, err := tx.Find("name-old"); err != nil || c.PID != 0 {
			t.Errorf("the container that failed updates touched: %+v, %v", c, err)
		}
		list, err := tx.Events(0, 100)
		if len(list) != 1+len(errs)/3 {
			t.Errorf("%d events, want %d", len(list), 1+len(errs)/3)
		}
		for i, e := range list {
			if e.Seq != uint64(i+1) {
				t.Errorf("event %d has sequence %d", i+1, e.Seq)
			}
		}
		return err
	})
}

func TestUpdateHonoursContext(t *testing.T) {
	s := openTemp(t)
	release := stall(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- s.Update(ctx, func(*Tx) error { t.Error("ran after its context had ended"); return nil })
	}()
	queued(t, s, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Update = %v, want canceled", err)
	}
	release()
	if err := s.Update(ctx, func(*Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Update = %v, want canceled", err)
	}
}

func TestCloseCommitsWhatHasQueued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	release := stall(t, s)
	var callers sync.WaitGroup
	for i := range 10 {
		callers.Go(func() {
			if err := s.Update(context.Background(), create(fmt.Sprintf("c%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	queued(t, s, 10)
	time.AfterFunc(10*time.Millisecond, release)
	mustClose(t, s)
	callers.Wait()
	if err := s.Update(t.Context(), create("late")); !errors.Is(err, executor.Unavailable) {
		t.Errorf("Update of a closed store: %v", err)
	}
	if err := s.View(func(*Tx) error { return nil }); !errors.Is(err, executor.Unavailable) {
		t.Errorf("View of a closed store: %v", err)
	}
	mustView(t, openAt(t, path, Options{}), func(tx *Tx) error {
		all, err := tx.Containers()
		if len(all) != 10 {
			t.Errorf("%d containers, want 10", len(all))
		}
		return err
	})
}

func TestConcurrentUpdatesAndViews(t *testing.T) {
	s := openTemp(t)
	mustUpdate(t, s, create("counter"))
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 25 {
				if err := s.Update(t.Context(), update("counter")); err != nil {
					t.Error(err)
				}
				if err := s.View(func(tx *Tx) error { _, err := tx.Containers(); return err }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	mustView(t, s, func(tx *Tx) error {
		c, err := tx.Container("counter")
		if c.PID != 400 {
			t.Errorf("counted %d, want 400", c.PID)
		}
		return err
	})
}
