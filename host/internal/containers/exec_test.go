package containers

import (
	"errors"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// TestExecOfWhatIsRemoved removes a container before its exec makes its files, which would
// bring back the directory of the container.
func TestExecOfWhatIsRemoved(t *testing.T) {
	m := openManager(t, nil)
	c := mustCreate(t, m, program(t, "sleep 600"))
	unlock, err := m.starts.Lock(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := m.Exec(t.Context(), c.ID, api.ExecOptions{ID: "x", Args: []string{"true"}})
		done <- err
	}()
	init := executor.Ref{ID: c.ID, Attempt: 1}
	ref := init
	ref.Exec = "x"
	wait.Until(t, "the exec is recorded", func() bool { _, err := m.execRecord(ref); return err == nil })
	session, err := m.backends.Session(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(executor.Destroy(t.Context(), session, init), m.removeState(t.Context(), c.ID)); err != nil {
		t.Error(err)
	}
	unlock()
	if err := <-done; !errors.Is(err, executor.NotFound) {
		t.Errorf("exec: got %v, want not found", err)
	}
	if m.outputs.Has(c.ID) {
		t.Error("the directory of its output is back")
	}
}
