package containers

import (
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
)

// TestHold holds containers as a commit does.
func TestHold(t *testing.T) {
	m := openManager(t, nil)
	id := mustCreate(t, m, program(t, "sleep 600")).ID
	hold := func() (release func()) {
		t.Helper()
		release, err := m.hold(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	state := func(when string, want api.State, held bool) {
		t.Helper()
		c, err := m.record(id)
		if v, verr := m.Inspect(id); err != nil || verr != nil || v.State != want || c.Held != held {
			t.Errorf("%s: it is %s, held %v, %v, %v; want %s, %v", when, v.State, c.Held, err, verr, want, held)
		}
	}
	release := hold()
	state("held", api.StatePaused, true)
	release()
	state("let go", api.StateRunning, false)

	release = hold()
	if err := m.Pause(t.Context(), id); err != nil {
		t.Error(err)
	}
	release()
	state("paused by the user meanwhile", api.StatePaused, false)
	hold()()
	state("held while it is paused", api.StatePaused, false)
	if err := m.Resume(t.Context(), id); err != nil {
		t.Error(err)
	}

	release = hold()
	if err := m.Stop(t.Context(), id, atOnce()); err != nil {
		t.Error(err)
	}
	release()
	state("stopped meanwhile", api.StateExited, false)
	hold()()
	state("held when it has ended", api.StateExited, false)
	if err := m.Remove(t.Context(), id, false); err != nil {
		t.Error(err)
	}
	if release, err := m.hold(t.Context(), id); err == nil {
		release()
		t.Error("what is removed was held")
	}
}

// TestHeldByAnEarlierHost has a host find a container that is held, and nobody who holds it.
func TestHeldByAnEarlierHost(t *testing.T) {
	m := openManager(t, nil)
	id := mustCreate(t, m, program(t, "sleep 600")).ID
	if held, err := m.holdOne(t.Context(), id); err != nil || !held {
		t.Fatalf("held: %v, %v", held, err)
	}
	session, err := m.backends.Session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.reconcileWish(session, id); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "it is let go", func() bool {
		c, err := m.record(id)
		return err == nil && !c.Held && c.State == "running"
	})
}
