package containers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// A container that a backend lists may turn out to be half-made. It is started, like
// one that the backend does not know.
func TestReconcileStartsWhatWasHalfMade(t *testing.T) {
	m := openManager(t, nil)

	record, spec, session, err := m.prepare(t.Context(), newID(), program(t, "exit 5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.store.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateContainer(record, spec) }); err != nil {
		t.Fatal(err)
	}
	listed := executor.Status{Ref: record.Ref(), State: executor.Running}
	if err := m.reconcileOne(t.Context(), session, record, listed, true); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, m, record.ID), 5)
}

// A caller and a reconcile that start the same container start it once, and both get
// the outcome.
func TestConcurrentStartsStartOnce(t *testing.T) {
	m := openManager(t, nil)

	for _, args := range []string{"exit 5", "no-such-step"} {
		record, spec, session, err := m.prepare(t.Context(), newID(), program(t, args))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.store.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateContainer(record, spec) }); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- m.start(t.Context(), session, record, spec, true) }()
		}
		first, second := <-errs, <-errs
		if (first == nil) != (second == nil) {
			t.Errorf("%s: got %v and %v, want one outcome", args, first, second)
		}
	}
}

// TestStartedBeforeItsFilesFail starts a container once more, which may run already, and
// cannot make what the start needs.
func TestStartedBeforeItsFilesFail(t *testing.T) {
	m := openManager(t, nil)
	for _, runs := range []bool{true, false} {
		record, spec, session, err := m.prepare(t.Context(), newID(), program(t, "sleep 600"))
		if err != nil {
			t.Fatal(err)
		}
		if record, _, err = m.recordIntent(t.Context(), record, spec, new(volumes.Use)); err != nil {
			t.Fatal(err)
		}
		if runs {
			w := executor.Workload{Ref: record.Ref(), Spec: spec, Runtime: record.Runtime}
			if _, err := backends.On(t.Context(), session, transport.MethodCreate, w); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Dir(m.outputs.Files(record.Ref(), m.layout(record)).Dir()), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		err = m.start(t.Context(), session, record, spec, true)
		c, rerr := m.record(record.ID)
		if rerr != nil {
			t.Fatal(rerr)
		}
		if runs && (err != nil || c.State != store.Running || c.PID == 0) || !runs && (err == nil || c.State != store.Failed) {
			t.Errorf("runs: %t: got %v, and the state %s", runs, err, c.State)
		}
	}
}

// The executor dies while it starts a container. Before another executor is there, the
// container turns out to have run and ended, and is removed. It must not be started
// once more.
func TestStartEndsWithTheContainer(t *testing.T) {
	var cfg config.Config
	m := openManager(t, func(c *config.Config) { cfg = *c })

	record, spec, session, err := m.prepare(t.Context(), newID(), program(t, "sleep 60"))
	if err != nil {
		t.Fatal(err)
	}
	if record, _, err = m.recordIntent(t.Context(), record, spec, new(volumes.Use)); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cfg.ExecutorDirs[0], "davit-executor-memory")
	if err := os.Rename(program, program+"~"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(m.backends.All()["a"].Info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-session.Done()
	started := make(chan error, 1)
	go func() { started <- m.start(t.Context(), session, record, spec, false) }()
	wait.Until(t, "the start is interrupted", func() bool { return m.backends.All()["a"].Info().Failures > 1 })
	// Its output stays, or it could not be started for want of that.
	if err := m.store.Update(t.Context(), func(tx *store.Tx) error { return tx.RemoveContainer(record.ID) }); err != nil {
		t.Error(err)
	}
	if err := os.Rename(program+"~", program); err != nil {
		t.Fatal(err)
	}
	if err := <-started; !errors.Is(err, executor.NotFound) {
		t.Errorf("start: got %v, want that the container is gone", err)
	}
	session, err = m.backends.Session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := session.List(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("the backend has %+v, %v, want nothing", all, err)
	}
}

// If a delete overtook a create, the container would be started after it.
func TestDeleteWaitsForACreate(t *testing.T) {
	m := openManager(t, nil)

	c := mustCreate(t, m, program(t, "exit 5"))
	wantCode(t, mustWait(t, m, c.ID), 5)
	unlock, err := m.starts.Lock(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := m.Remove(ctx, c.ID, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("remove during a create: got %v, want that it waits", err)
	}
	unlock()
	if err := m.Remove(t.Context(), c.ID, false); err != nil {
		t.Error(err)
	}
}
