package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// openAt opens the store at path and closes it at the end of the test.
func openAt(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// openTemp opens a new store.
func openTemp(t testing.TB) *Store {
	return openAt(t, filepath.Join(t.TempDir(), "state.db"), Options{})
}

func mustUpdate(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func mustView(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.View(fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// sample is a container as the host makes them.
func sample(id string) *Container {
	return &Container{
		ID: id, Name: "name-" + id, RequestID: "request-" + id, Backend: "containerd",
		Runtime: executor.Runtime{Name: "runc", Resolved: json.RawMessage(`{"shim":"io.containerd.runc.v2"}`)},
		Labels:  map[string]string{"app": "web"}, Restart: RestartPolicy{Name: "on-failure", MaxRetries: 3},
		CreatedAt: time.Now().UTC(), Attempt: 1, Desired: WantRunning, State: Creating,
	}
}

func create(id string) func(*Tx) error {
	return func(tx *Tx) error {
		if err := tx.CreateContainer(sample(id), json.RawMessage(`{"ociVersion":"1.3.0"}`)); err != nil {
			return err
		}
		_, err := tx.Append(Event{Type: "container.created", Container: id})
		return err
	}
}

func TestContainersSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	first := s.Info()
	if len(first.HostID) != 32 || first.Epoch != 1 || first.BootID == "" || first.Rebooted || first.Damage != nil {
		t.Errorf("Info of a new store is %+v", first)
	}
	mustUpdate(t, s, create("a1"))
	mustUpdate(t, s, func(tx *Tx) error {
		c, err := tx.Container("a1")
		if err != nil {
			return err
		}
		c.State, c.PID, c.Name = Running, 42, "renamed"
		return tx.PutContainer(c)
	})
	mustClose(t, s)

	s = openAt(t, path, Options{})
	if got := s.Info(); got.HostID != first.HostID || got.Epoch != 2 || got.Rebooted || got.Damage != nil {
		t.Errorf("Info after reopening is %+v, was %+v", got, first)
	}
	mustView(t, s, func(tx *Tx) error {
		for _, reference := range []string{"a1", "renamed", "a"} {
			c, err := tx.Find(reference)
			if err != nil {
				return err
			}
			if c.ID != "a1" || c.PID != 42 || c.State != Running || c.Labels["app"] != "web" || string(c.Runtime.Resolved) != `{"shim":"io.containerd.runc.v2"}` {
				t.Errorf("Find(%q) = %+v", reference, c)
			}
		}
		if _, err := tx.Find("name-a1"); !errors.Is(err, executor.NotFound) {
			t.Errorf("Find of the old name: %v, want not found", err)
		}
		spec, err := tx.Spec("a1")
		if string(spec) != `{"ociVersion":"1.3.0"}` {
			t.Errorf("spec is %s", spec)
		}
		return err
	})
}

func TestFind(t *testing.T) {
	s := openTemp(t)
	for _, id := range []string{"abc1", "abc2", "abd", "name-abd"} {
		mustUpdate(t, s, create(id))
	}
	for _, tc := range []struct {
		reference, want string
		code            executor.Code
	}{
		{"abc1", "abc1", ""},
		{"name-abc2", "abc2", ""},
		{"abd", "abd", ""},
		{"name-abd", "name-abd", ""}, // an id goes before a name
		{"abc", "", executor.Invalid},
		{"zzz", "", executor.NotFound},
		{"", "", executor.NotFound},
	} {
		mustView(t, s, func(tx *Tx) error {
			c, err := tx.Find(tc.reference)
			if executor.CodeOf(err) != tc.code || err == nil && c.ID != tc.want {
				t.Errorf("Find(%q) = %v, %v; want %q, %q", tc.reference, c, err, tc.want, tc.code)
			}
			return nil
		})
	}
}

func TestUniqueness(t *testing.T) {
	s := openTemp(t)
	mustUpdate(t, s, create("one"))
	for name, change := range map[string]func(*Container){
		"id":      func(c *Container) { c.ID = "one" },
		"name":    func(c *Container) { c.Name = "name-one" },
		"request": func(c *Container) { c.RequestID = "request-one" },
	} {
		err := s.Update(t.Context(), func(tx *Tx) error {
			c := sample("two")
			change(c)
			return tx.CreateContainer(c, nil)
		})
		if !errors.Is(err, executor.AlreadyExists) {
			t.Errorf("same %s: %v, want already exists", name, err)
		}
	}
	mustView(t, s, func(tx *Tx) error {
		if c, err := tx.ContainerByRequest("request-one"); err != nil || c.ID != "one" {
			t.Errorf("ContainerByRequest = %v, %v", c, err)
		}
		all, err := tx.Containers()
		if len(all) != 1 {
			t.Errorf("%d containers, want 1", len(all))
		}
		return err
	})
	// What a refused create claimed before it was refused must be free again.
	mustUpdate(t, s, create("two"))
	mustUpdate(t, s, func(tx *Tx) error { return tx.RemoveContainer("two") })
	mustUpdate(t, s, func(tx *Tx) error { return tx.RemoveContainer("two") })
	mustUpdate(t, s, create("two"))
	for name, c := range map[string]*Container{
		"long name": {ID: "x", Name: strings.Repeat("x", 256)},
		"bad id":    {ID: "../x"},
	} {
		if err := s.Update(t.Context(), func(tx *Tx) error { return tx.CreateContainer(c, nil) }); !errors.Is(err, executor.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func TestFirstExitWins(t *testing.T) {
	s := openTemp(t)
	mustUpdate(t, s, create("one"))
	ref := executor.Ref{ID: "one", Attempt: 1}
	seven, nine := 7, 9
	for i, code := range []*int{&seven, &nine} {
		mustUpdate(t, s, func(tx *Tx) error {
			kept, first, err := tx.PutExit(ref, executor.Exit{Code: code, Source: executor.Observed})
			if err == nil && (first != (i == 0) || *kept.Code != 7) {
				t.Errorf("PutExit %d: kept %d, first %v", i, *kept.Code, first)
			}
			return err
		})
	}
	for i, output := range []executor.Output{executor.Complete, executor.Truncated} {
		mustUpdate(t, s, func(tx *Tx) error {
			first, err := tx.PutOutput(ref, output)
			if first != (i == 0) {
				t.Errorf("PutOutput %d: first %v", i, first)
			}
			return err
		})
	}
	for _, unknown := range []executor.Ref{{ID: "one", Attempt: 2}, {ID: "one"}, {ID: "other", Attempt: 1}} {
		err := s.Update(t.Context(), func(tx *Tx) error {
			_, _, err := tx.PutExit(unknown, executor.Exit{})
			return err
		})
		if !errors.Is(err, executor.NotFound) {
			t.Errorf("PutExit(%s): %v, want not found", unknown, err)
		}
	}
	mustView(t, s, func(tx *Tx) error {
		exit, err := tx.Exit(ref)
		if err == nil && (*exit.Code != 7 || exit.Output != executor.Complete || exit.Ref != ref) {
			t.Errorf("Exit = %+v", exit)
		}
		return err
	})
	mustUpdate(t, s, func(tx *Tx) error { return tx.RemoveContainer("one") })
	mustView(t, s, func(tx *Tx) error {
		if _, err := tx.Exit(ref); !errors.Is(err, executor.NotFound) {
			t.Errorf("Exit after RemoveContainer: %v, want not found", err)
		}
		return nil
	})
}

func TestJournalIsBoundedAndSaysSo(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "state.db"), Options{KeepEvents: 80})
	for i := range 200 {
		mustUpdate(t, s, func(tx *Tx) error {
			seq, err := tx.Append(Event{Type: "test"})
			if seq != uint64(i+1) {
				t.Errorf("event %d has sequence %d", i+1, seq)
			}
			return err
		})
	}
	mustView(t, s, func(tx *Tx) error {
		oldest, newest, err := tx.Cursors()
		if kept := newest - oldest; newest != 200 || kept < 80 || kept > 91 {
			t.Errorf("kept are %d to %d", oldest+1, newest)
		}
		for _, after := range []uint64{0, oldest - 1, newest + 1} {
			var gone *GoneError
			if _, err := tx.Events(after, 10); !errors.As(err, &gone) || gone.Last != 200 || executor.CodeOf(err) != executor.FailedPrecondition {
				t.Errorf("Events(%d): %v, want gone", after, err)
			}
		}
		list, eerr := tx.Events(oldest, 1000)
		for i, e := range list {
			if want := oldest + 1 + uint64(i); e.Seq != want {
				t.Errorf("event %d has sequence %d, want %d", i, e.Seq, want)
			}
		}
		return errors.Join(err, eerr)
	})
}

func TestFollowMissesNothing(t *testing.T) {
	s := openTemp(t)
	const n = 400
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			next := uint64(1)
			for e, err := range s.Follow(t.Context(), 0) {
				if err != nil || e.Seq != next {
					errs <- fmt.Errorf("event %d, %w, want %d", e.Seq, err, next)
					return
				}
				if next++; next > n {
					break
				}
			}
			errs <- nil
		}()
	}
	for range n {
		mustUpdate(t, s, func(tx *Tx) error { _, err := tx.Append(Event{Type: "test"}); return err })
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestFollowEnds(t *testing.T) {
	s := openTemp(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, err := range s.Follow(ctx, 0) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Follow after its context: %v", err)
		}
	}
	time.AfterFunc(20*time.Millisecond, func() { s.Close() })
	for _, err := range s.Follow(t.Context(), 0) {
		if !errors.Is(err, executor.Unavailable) {
			t.Errorf("Follow of a closed store: %v", err)
		}
	}
}
