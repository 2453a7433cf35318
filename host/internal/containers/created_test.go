package containers

import (
	"errors"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// created makes a container without starting it.
func created(t *testing.T, m *Manager, change func(*api.ContainerOptions), steps ...string) api.Container {
	t.Helper()
	opts := program(t, steps...)
	opts.NoStart = true
	if change != nil {
		change(&opts)
	}
	c := mustCreate(t, m, opts)
	if c.State != api.StateCreated || c.Attempt != 0 || c.PID != 0 || !c.StartedAt.IsZero() {
		t.Fatalf("created is %+v", c)
	}
	return c
}

// TestCreateWithoutStart starts a container later, for which somebody waits already.
func TestCreateWithoutStart(t *testing.T) {
	m := openManager(t, nil)
	c := created(t, m, nil, "print stdout hello", "exit 3")
	for name, err := range map[string]error{
		"kill": m.Kill(t.Context(), c.ID, 15),
		"attach": func() error {
			_, err := m.RunAttached(t.Context(), api.ContainerOptions{NoStart: true}, api.Attachment{})
			return err
		}(),
	} {
		if code := executor.CodeOf(err); code != executor.FailedPrecondition && code != executor.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := m.Stop(t.Context(), c.ID, atOnce()); err != nil {
		t.Errorf("stop: %v", err)
	}
	ends := make(chan *api.End, 1)
	outputs := make(chan string, 1)
	go func() {
		end, err := m.WaitAttempt(t.Context(), c.ID, 0)
		if err != nil {
			t.Error(err)
		}
		ends <- end
	}()
	go func() {
		text, _, err := logs(t, m, c.ID, api.LogOptions{Follow: true})
		if err != nil {
			t.Error(err)
		}
		outputs <- text
	}()
	if text, _, err := logs(t, m, c.ID, api.LogOptions{}); text != "" || err != nil {
		t.Errorf("logs before the start: %q, %v", text, err)
	}
	wait.Until(t, "somebody waits", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.ends[executor.Ref{ID: c.ID, Attempt: 1}] != nil
	})
	if now, err := m.Start(t.Context(), c.ID); err != nil || now.Attempt != 1 || now.Restarts != 0 {
		t.Errorf("start: got %+v, %v", now, err)
	}
	wantCode(t, <-ends, 3)
	if text := <-outputs; text != "hello\n" {
		t.Errorf("followed %q", text)
	}
}

// TestCreatedIsLeftAlone has hosts and policies pass over a container that was not started.
func TestCreatedIsLeftAlone(t *testing.T) {
	m := openManager(t, nil)
	always := created(t, m, func(o *api.ContainerOptions) { o.Restart = api.RestartAlways }, "sleep 600")
	once := created(t, m, func(o *api.ContainerOptions) { o.AutoRemove = true }, "sleep 600")
	if err := m.applyPolicies(t.Context()); err != nil {
		t.Fatal(err)
	}
	session, err := m.backends.Session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Reconcile(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	for _, c := range []api.Container{always, once} {
		if now, err := m.Inspect(c.ID); err != nil || now.State != api.StateCreated {
			t.Errorf("got %+v, %v", now, err)
		}
	}
	// A record that is lost comes back from its copy.
	if err := m.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.RemoveContainer(always.ID); err != nil {
			return err
		}
		changed, err := m.recoverRecord(tx, always.ID)
		if !changed {
			t.Error("there is no copy")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if now, err := m.Inspect(always.ID); err != nil || now.State != api.StateCreated || now.Attempt != 0 {
		t.Errorf("from its copy: got %+v, %v", now, err)
	}
	if err := m.Remove(t.Context(), always.ID, false); err != nil {
		t.Error(err)
	}
	if _, err := m.Inspect(always.ID); !errors.Is(err, executor.NotFound) {
		t.Errorf("after its removal: %v", err)
	}
}
