package host

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// An end that was recorded and then not told, since what came in between went
// wrong, is told when the executor reports it again.
func TestEndThatWasNotToldIsToldAgain(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	gate := filepath.Join(t.TempDir(), "gate")
	c := mustCreate(t, h, program(t, "await "+gate, "exit 4"))
	ref := executor.Ref{ID: c.ID, Attempt: c.Attempt}
	e, leave := h.await(ref)
	defer leave()
	err := h.store.Update(t.Context(), func(tx *store.Tx) error {
		if _, _, err := tx.PutExit(ref, executor.Exit{Code: new(4), Source: executor.Observed}); err != nil {
			return err
		}
		exit, err := tx.Exit(ref)
		if err != nil {
			return err
		}
		record, err := tx.Container(c.ID)
		if err != nil {
			return err
		}
		return release(tx, record, viewEnd(exit))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := (reports{h, c.Backend}).Released(t.Context(), ref, executor.Complete); err != nil {
		t.Fatal(err)
	}
	select {
	case <-e.done:
		if e.end == nil || *e.end.Code != 4 {
			t.Errorf("got %+v", e.end)
		}
	case <-time.After(10 * time.Second):
		t.Error("who waits is not told")
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
