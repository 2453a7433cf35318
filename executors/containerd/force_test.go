package containerd

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// testForce: SIGKILL and a deletion end and remove a container, whatever has happened to
// what runs it, and nothing runs on.
func testForce(t *testing.T, f *fixture, runtime string) {
	for name, tt := range map[string]struct {
		harm    func(t *testing.T, f *fixture, st executor.Status)
		restart bool
	}{
		"shim-stopped": {func(t *testing.T, _ *fixture, st executor.Status) {
			realtest.Stop(t, realtest.Parent(t, st.PID))
		}, true},
		"runtime-state-gone": {func(t *testing.T, f *fixture, st executor.Status) {
			if err := os.RemoveAll(filepath.Join(f.env.RunDir, "runc/davit", f.b.driver.owner.ContainerID(st.Ref.ID))); err != nil {
				t.Fatal(err)
			}
		}, false},
		"frozen": {func(t *testing.T, _ *fixture, st executor.Status) { realtest.Freeze(t, st.PID) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			ref := first(name)
			st := f.run(ref, runtime, "sleep 1000 & echo ready; wait")
			f.streams.WaitOutput(ref, "out", "ready")
			shim := realtest.Parent(t, st.PID)
			tt.harm(t, f, st)
			if tt.restart {
				f.crash()
				f.open()
				// It runs, so it is neither killed nor forgotten.
				if got, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || got.State != executor.Running {
					t.Errorf("restore: got %+v, %v", got, err)
				}
				if err := syscall.Kill(st.PID, 0); err != nil {
					t.Errorf("it was killed: %v", err)
				}
			}
			if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil {
				t.Errorf("kill: %v", err)
			}
			f.host.WaitReleased(t, ref)
			if err := f.b.Delete(t.Context(), ref); err != nil {
				t.Errorf("delete: %v", err)
			}
			realtest.WaitGone(t, st.PID)
			realtest.WaitGone(t, shim)
		})
	}
}

// testWorkloadCannotEraseItsExit: a workload prints what an init prints whose start was
// cut off, and ends while nobody watches. It has run all the same.
func testWorkloadCannotEraseItsExit(t *testing.T, f *fixture, runtime string) {
	ref := first("forger")
	st := f.run(ref, runtime, "while [ ! -e /go ]; do sleep 0.02; done; echo 'write exec fifo /x: broken pipe' >&2; exit 1")
	f.crash()
	if err := os.WriteFile(f.rootfs+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	realtest.WaitGone(t, st.PID)
	f.open()
	if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || !st.State.Ended() && st.State != executor.Running {
		t.Fatalf("restore: got %+v, %v", st, err)
	}
	if exit, _ := f.host.WaitReleased(t, ref); exit.Code == nil || *exit.Code != 1 {
		t.Errorf("exit: got %+v", exit)
	}
	if got := f.streams.Output(ref, "err"); got != "write exec fifo /x: broken pipe\n" {
		t.Errorf("stderr: got %q", got)
	}
}
