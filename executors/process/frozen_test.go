package process_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestFrozen: what an administrator has frozen ends by SIGKILL.
func TestFrozen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	f := newFixture(t, "{}")
	for name, end := range map[string]func(ref executor.Ref, pid int) error{
		"killed": func(ref executor.Ref, _ int) error { return f.b.Signal(t.Context(), ref, syscall.SIGKILL) },
		// Its monitor is killed, which is to take it along.
		"orphaned": func(_ executor.Ref, pid int) error { return syscall.Kill(monitorOf(t, pid), syscall.SIGKILL) },
		"asked": func(ref executor.Ref, _ int) error {
			// The stop signal waits for a thaw that does not come.
			if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
				return err
			}
			return f.b.Signal(t.Context(), ref, syscall.SIGKILL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ref := first(name)
			st := f.run(ref, command("trap '' TERM; echo ready; sleep 300 & wait"))
			f.streams.WaitOutput(ref, "out", "ready")
			realtest.Freeze(t, st.PID)
			if err := end(ref, st.PID); err != nil {
				t.Fatal(err)
			}
			exit, _ := f.wait(ref)
			if lost := exit.Source == executor.Lost; lost != (name == "orphaned") || !lost && exit.Signal != syscall.SIGKILL {
				t.Errorf("exit: got %+v", exit)
			}
			realtest.WaitGone(t, st.PID)
			if err := f.b.Delete(t.Context(), ref); err != nil {
				t.Errorf("delete: %v", err)
			}
		})
	}
}
