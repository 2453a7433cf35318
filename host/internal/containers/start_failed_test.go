package containers

import (
	"errors"
	"testing"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/shared/executor"
)

// A start that failed is not reported as failed while the record says that it is to be
// made: the next reconcile would make it.
func TestFailureThatCannotBeRecordedIsUnknown(t *testing.T) {
	m := openManager(t, nil)
	record, spec, _, err := m.prepare(t.Context(), newID(), program(t, "exit 0"))
	if err != nil {
		t.Fatal(err)
	}
	if record, _, err = m.recordIntent(t.Context(), record, spec, new(volumes.Use)); err != nil {
		t.Fatal(err)
	}
	reason := executor.Errorf(executor.CommandNotFound, "no such command")
	whole := m.store
	m.store = closedStore(t)
	got := m.failStart(record, reason)
	m.store = whole
	if !errors.Is(got, executor.OutcomeUnknown) || !errors.Is(got, executor.CommandNotFound) {
		t.Errorf("the failure is not recorded: got %v, want an unknown outcome, and the reason", got)
	}
	if got := m.failStart(record, reason); !errors.Is(got, executor.CommandNotFound) || errors.Is(got, executor.OutcomeUnknown) {
		t.Errorf("the failure is recorded: got %v, want the reason", got)
	}
	if now, err := m.record(record.ID); err != nil || now.State != store.Failed {
		t.Errorf("got %+v, %v, want it failed", now, err)
	}
}

// closedStore returns a store that takes nothing.
func closedStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir()+"/db", store.Options{})
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}
