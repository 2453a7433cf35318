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
// what runs it, and nothing runs on. A quick run does each harm to davit's own shim and to
// one of the others.
func TestForce(t *testing.T) {
	for name, tt := range map[string]struct {
		harm    func(t *testing.T, f *fixture, st executor.Status)
		restart bool
		lost    bool // nobody can know the exit
		other   string
	}{
		"shim-stopped":                     {stopShim, false, true, "v2-2.4"},
		"shim-stopped-and-restarted":       {stopShim, true, true, "v2-1.6"},
		"run-directory-gone":               {removeRunDir, false, false, "v1-1.7"},
		"run-directory-gone-and-restarted": {removeRunDir, true, false, "v2-2.4"},
		"runtime-state-gone": {func(t *testing.T, f *fixture, st executor.Status) {
			if err := os.RemoveAll(filepath.Join(f.env.RunDir, "runc/davit", filepath.Base(f.b.Bundle(st.Ref.ID)))); err != nil {
				t.Fatal(err)
			}
		}, true, false, "v2-1.6"},
		"bundle-gone": {func(t *testing.T, f *fixture, st executor.Status) {
			if err := os.RemoveAll(f.b.Bundle(st.Ref.ID)); err != nil {
				t.Fatal(err)
			}
		}, true, false, "v1-1.7"},
		"frozen": {func(t *testing.T, _ *fixture, st executor.Status) { realtest.Freeze(t, st.PID) }, false, false, "v2-2.4"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits most of the time
			ownShimAnd(t, []string{tt.other}, func(t *testing.T, f *fixture, runtime string) {
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
