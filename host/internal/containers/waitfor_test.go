package containers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

type outcome struct {
	end *api.End
	err error
}

// waitFor waits in the background.
func waitFor(t *testing.T, m *Manager, id string, condition api.WaitCondition, attempt int) <-chan outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	done := make(chan outcome, 1)
	go func() {
		end, err := m.WaitFor(ctx, id, condition, attempt)
		done <- outcome{end, err}
	}()
	return done
}

func wantOutcome(t *testing.T, what string, o outcome, attempt, code int) {
	t.Helper()
	if o.err != nil || o.end == nil || o.end.Attempt != attempt || o.end.Code == nil || *o.end.Code != code {
		t.Errorf("%s: got %+v, %v; want the end of attempt %d with code %d", what, o.end, o.err, attempt, code)
	}
}

func TestWaitFor(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "exit 3")
	opts.NoStart = true
	c := mustCreate(t, m, opts)
	if o := <-waitFor(t, m, c.ID, api.WaitNotRunning, 0); !errors.Is(o.err, executor.FailedPrecondition) {
		t.Errorf("what was not started: got %+v", o)
	}
	first, removed := waitFor(t, m, c.ID, api.WaitNextExit, 1), waitFor(t, m, c.ID, api.WaitRemoved, 0)
	second := waitFor(t, m, c.ID, api.WaitNextExit, 2)
	wait.Until(t, "the waits have begun", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.ends) > 0
	})
	if _, err := m.Start(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, "the first exit", <-first, 1, 3)
	wantOutcome(t, "what has ended", <-waitFor(t, m, c.ID, api.WaitNotRunning, 0), 1, 3)
	wantOutcome(t, "one that was named", <-waitFor(t, m, c.ID, api.WaitNextExit, 1), 1, 3)
	if _, err := m.Start(t.Context(), c.ID); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, "the second exit", <-second, 2, 3)
	mustWait(t, m, c.ID)
	if err := m.Remove(t.Context(), c.ID, false); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, "the removal", <-removed, 2, 3)

	opts = program(t, "sleep 600")
	opts.AutoRemove = true
	running := mustCreate(t, m, opts)
	removed, next := waitFor(t, m, running.ID, api.WaitRemoved, 0), waitFor(t, m, running.ID, api.WaitNextExit, 0)
	wait.Until(t, "the waits have begun", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.ends) == 1 && m.ends[executor.Ref{ID: running.ID, Attempt: 1}].waiters == 2
	})
	if err := m.Stop(t.Context(), running.ID, atOnce()); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, "the exit of what runs", <-next, 1, 143)
	wantOutcome(t, "the automatic removal", <-removed, 1, 143)

	opts = program(t, "exit 0")
	opts.NoStart = true
	idle := mustCreate(t, m, opts)
	next = waitFor(t, m, idle.ID, api.WaitNextExit, 0)
	if err := m.Remove(t.Context(), idle.ID, false); err != nil {
		t.Fatal(err)
	}
	if o := <-next; !errors.Is(o.err, executor.NotFound) {
		t.Errorf("what is removed instead: got %+v", o)
	}
	for condition, attempt := range map[api.WaitCondition]int{"never": 0, "": 0, api.WaitRemoved: 1, api.WaitNotRunning: 1, api.WaitNextExit: -1} {
		c := mustCreate(t, m, program(t, "exit 0"))
		if _, err := m.WaitFor(t.Context(), c.ID, condition, attempt); !errors.Is(err, executor.Invalid) {
			t.Errorf("condition %q, attempt %d: got %v", condition, attempt, err)
		}
	}
}
