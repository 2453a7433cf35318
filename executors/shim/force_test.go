package shim_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestForce: SIGKILL and a deletion end and remove a container, whatever has happened to
// what runs it, and nothing runs on.
func TestForce(t *testing.T) {
	for name, tt := range map[string]struct {
		harm    func(t *testing.T, f *fixture, st executor.Status)
		restart bool
		lost    bool // nobody can know the exit
	}{
		"shim-stopped":                     {stopShim, false, true},
		"shim-stopped-and-restarted":       {stopShim, true, true},
		"run-directory-gone":               {removeRunDir, false, false},
		"run-directory-gone-and-restarted": {removeRunDir, true, false},
		"runtime-state-gone": {func(t *testing.T, f *fixture, st executor.Status) {
			if err := os.RemoveAll(filepath.Join(f.env.RunDir, "runc/davit", filepath.Base(f.b.Bundle(st.Ref.ID)))); err != nil {
				t.Fatal(err)
			}
		}, true, false},
		"bundle-gone": {func(t *testing.T, f *fixture, st executor.Status) {
			if err := os.RemoveAll(f.b.Bundle(st.Ref.ID)); err != nil {
				t.Fatal(err)
			}
		}, true, false},
		"frozen": {func(t *testing.T, _ *fixture, st executor.Status) { realtest.Freeze(t, st.PID) }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			everyShim(t, func(t *testing.T, f *fixture, runtime string) {
				ref := first("forced")
				st := f.run(ref, runtime, "sleep 1000 & echo ready; wait")
				f.streams.WaitOutput(ref, "out", "ready")
				shim := f.shimOf(ref.ID)
				tt.harm(t, f, st)
				if tt.restart {
					f.b.Crash()
					f.open()
					// It runs, so it is neither killed nor forgotten.
					got, err := f.b.Restore(t.Context(), ref, executor.Stdio{})
					if err != nil || got.State != executor.Running {
						t.Errorf("restore: got %+v, %v", got, err)
					}
					if err := syscall.Kill(st.PID, 0); err != nil {
						t.Errorf("it was killed: %v", err)
					}
				}
				if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil {
					t.Errorf("kill: %v", err)
				}
				exit, _ := f.host.WaitReleased(t, ref)
				if lost := exit.Source == executor.Lost; tt.lost && !lost || !tt.lost && !lost && *exit.Code != 137 {
					t.Errorf("exit: got %+v", exit)
				}
				if err := f.b.Delete(t.Context(), ref); err != nil {
					t.Errorf("delete: %v", err)
				}
				realtest.WaitGone(t, st.PID)
				realtest.WaitGone(t, shim)
			})
		})
	}
}

func stopShim(t *testing.T, f *fixture, st executor.Status) {
	realtest.Stop(t, f.shimOf(st.Ref.ID))
}

// removeRunDir empties the directory of what lasts as long as the machine is up.
func removeRunDir(t *testing.T, f *fixture, _ executor.Status) {
	entries, err := os.ReadDir(f.env.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(f.env.RunDir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
