package containers

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// The end of an attempt may be on disk and its waiters not notified, because what
// came in between failed. They are notified when the executor reports it again.
func TestRepeatedReportNotifiesWaiters(t *testing.T) {
	m := openManager(t, nil)

	gate := filepath.Join(t.TempDir(), "gate")
	c := mustCreate(t, m, program(t, "await "+gate, "exit 4"))
	ref := executor.Ref{ID: c.ID, Attempt: c.Attempt}
	e, leave := m.await(ref)
	defer leave()
	err := m.store.Update(t.Context(), func(tx *store.Tx) error {
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
	if err := (reports{m, c.Backend}).Released(t.Context(), ref, executor.Complete); err != nil {
		t.Fatal(err)
	}
	select {
	case <-e.done:
		if e.end == nil || *e.end.Code != 4 {
			t.Errorf("got %+v", e.end)
		}
	case <-time.After(time.Minute):
		t.Error("the waiter is not notified")
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the workload ends", func() bool {
		all, err := backends.Call(t.Context(), m.backends, c.Backend, transport.MethodList, transport.None{})
		return err == nil && len(all) == 1 && all[0].State.Ended()
	})
}
