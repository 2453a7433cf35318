package shim_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestHostLostItsID opens the backend for a host that has another id than before, as
// after the loss of its state.
func TestHostLostItsID(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		live, ended := first("live"), first("ended")
		st := f.run(live, runtime, untilTerm)
		est := f.run(ended, runtime, untilTerm)
		f.streams.WaitOutput(live, "out", "ready")
		f.streams.WaitOutput(ended, "out", "ready")
		f.b.Crash()
		if err := syscall.Kill(est.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		realtest.WaitGone(t, est.PID)
		f.env.HostID += "-another"
		f.open()
		got, err := f.b.Restore(t.Context(), live, executor.Stdio{})
		if err != nil || got.State != executor.Running || got.PID != st.PID {
			t.Fatalf("restore: got %+v, %v; want %+v", got, err, st)
		}
		if _, err := f.b.Restore(t.Context(), ended, executor.Stdio{}); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, ended); exit.Code == nil || *exit.Code != 9 {
			t.Errorf("exit under the earlier id: got %+v, want code 9", exit)
		}
		if err := f.b.Signal(t.Context(), live, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, live); exit.Code == nil || *exit.Code != 9 {
			t.Errorf("exit: got %+v, want code 9", exit)
		}
	})
}

// TestMarkLost removes what is recorded of a start while the container runs.
func TestMarkLost(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		live := first("live")
		st := f.run(live, runtime, untilTerm)
		f.streams.WaitOutput(live, "out", "ready")
		f.b.Crash()
		if err := os.Remove(filepath.Join(f.env.StateDir, "containers", live.ID, "started.json")); err != nil {
			t.Fatal(err)
		}
		f.open()
		got, err := f.b.Restore(t.Context(), live, executor.Stdio{})
		if err != nil || got.State != executor.Running || got.PID != st.PID {
			t.Fatalf("restore: got %+v, %v; want %+v", got, err, st)
		}
		if err := f.b.Signal(t.Context(), live, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, live); exit.Code == nil || *exit.Code != 9 {
			t.Errorf("exit: got %+v, want code 9", exit)
		}
	})
}

// TestStrayOfAnyShim removes the shim and the container that are left when the executor's
// state is lost.
func TestStrayOfAnyShim(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("stray")
		st := f.run(ref, runtime, untilTerm)
		f.streams.WaitOutput(ref, "out", "ready")
		socket := f.b.Socket(ref.ID)
		f.b.Crash()
		if err := os.RemoveAll(filepath.Join(f.env.StateDir, "containers")); err != nil {
			t.Fatal(err)
		}
		f.open()
		strays, err := f.b.Strays(t.Context())
		if err != nil || len(strays) != 1 || strays[0].Status.Ref.ID != ref.ID || strays[0].Status.State != executor.Running {
			t.Fatalf("got strays %+v, %v", strays, err)
		}
		if err := f.b.RemoveStray(t.Context(), strays[0].Status.Ref, strays[0].Key); err != nil {
			t.Fatal(err)
		}
		realtest.WaitGone(t, st.PID)
		if _, err := os.Lstat(socket); err == nil {
			t.Errorf("socket %s is left", socket)
			_ = os.Remove(socket)
		}
	})
}
