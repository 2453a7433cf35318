package host

import (
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
