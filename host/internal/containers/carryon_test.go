package containers

import (
	"testing"

	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/shared/executor"
)

// TestCreateThatPanics panics when it is recorded that a container is to be started.
func TestCreateThatPanics(t *testing.T) {
	m := openManager(t, nil)
	record, spec, _, err := m.prepare(t.Context(), newID(), program(t, "exit 5"))
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_ = m.carryOn(record.ID, func() error {
			if _, _, err := m.recordIntent(t.Context(), record, spec, new(volumes.Use)); err != nil {
				t.Error(err)
			}
			panic("a fault")
		})
	}()
	wantCode(t, mustWait(t, m, record.ID), 5)
	// One that was not recorded yet is none.
	func() {
		defer func() { _ = recover() }()
		_ = m.carryOn("unknown", func() error { panic("a fault") })
	}()
	if _, err := m.record("unknown"); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("got %v, want not found", err)
	}
}
