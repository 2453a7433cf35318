package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// The executor dies while it creates: its caller gets the container all the same,
// from the next one, and it is started once.
func TestCreateOutlivesTheExecutor(t *testing.T) {
	cfg := testConfig(t)
	cfg.Backends[0].Config = map[string]any{"create_delay": "200ms"}
	h := openHost(t, cfg)
	defer stopHost(t, h)
	defer func() { _ = h.WaitBackend(t.Context(), "a") }() // or it cannot be stopped
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 190 * time.Millisecond, 210 * time.Millisecond} {
		if err := h.WaitBackend(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		pid := h.backends["a"].Info().PID
		time.AfterFunc(after, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		c := mustCreate(t, h, program(t, "print stdout started", "exit 7"))
		wantCode(t, mustWait(t, h, c.ID), 7)
		out := ""
		if err := h.Logs(t.Context(), c.ID, LogOptions{Tail: -1}, func(_ Stream, data []byte) error {
			out += string(data)
			return nil
		}); err != nil || out != "started\n" {
			t.Errorf("killed after %v: got output %q, %v", after, out, err)
		}
	}
}

// What a backend lists may turn out to be half-made. It is started then, like
// what it does not know.
func TestReconcileStartsWhatWasHalfMade(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	record, spec, session, err := h.prepare(t.Context(), program(t, "exit 5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateContainer(record, spec) }); err != nil {
		t.Fatal(err)
	}
	listed := executor.Status{Ref: record.Ref(), State: executor.Running}
	if err := h.reconcileOne(t.Context(), session, record, listed, true); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, h, record.ID), 5)
}

// Two who start one container, a caller and a reconcile, start it once, and both
// get its outcome.
func TestStartsTakeTurns(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	for _, args := range []string{"exit 5", "no-such-step"} {
		record, spec, session, err := h.prepare(t.Context(), program(t, args))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.store.Update(t.Context(), func(tx *store.Tx) error { return tx.CreateContainer(record, spec) }); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 2)
		for range 2 {
			go func() { errs <- h.start(t.Context(), session, record, spec, true) }()
		}
		first, second := <-errs, <-errs
		if (first == nil) != (second == nil) {
			t.Errorf("%s: got %v and %v, want one outcome", args, first, second)
		}
	}
}

// The executor dies while it starts a container, and before another one is there
// the container turns out to have run, to have ended, and is removed. It must not
// be started once more.
func TestStartEndsWithTheContainer(t *testing.T) {
	cfg := testConfig(t)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	record, spec, session, err := h.prepare(t.Context(), program(t, "sleep 60"))
	if err != nil {
		t.Fatal(err)
	}
	if record, _, err = h.intend(t.Context(), record, spec); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(cfg.ExecutorDirs[0], "davit-executor-memory")
	if err := os.Rename(program, program+"~"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.backends["a"].Info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-session.Done()
	started := make(chan error, 1)
	go func() { started <- h.start(t.Context(), session, record, spec, false) }()
	waitFor(t, "the start is interrupted", func() bool { return h.backends["a"].Info().Failures > 1 })
	// Its output stays, or it could not be started for want of that.
	if err := h.store.Update(t.Context(), func(tx *store.Tx) error { return tx.DeleteContainer(record.ID) }); err != nil {
		t.Error(err)
	}
	if err := os.Rename(program+"~", program); err != nil {
		t.Fatal(err)
	}
	if err := <-started; !errors.Is(err, executor.NotFound) {
		t.Errorf("start: got %v, want that the container is gone", err)
	}
	session, err = h.session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := session.List(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("the backend has %+v, %v, want nothing", all, err)
	}
}

// A deletion that overtakes a create would have the container started afterwards.
func TestDeleteWaitsForACreate(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, program(t, "exit 5"))
	wantCode(t, mustWait(t, h, c.ID), 5)
	endTurn, err := h.turn(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.Remove(ctx, c.ID, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("remove during a create: got %v, want that it waits", err)
	}
	endTurn()
	if err := h.Remove(t.Context(), c.ID, false); err != nil {
		t.Error(err)
	}
}
