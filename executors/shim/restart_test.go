package shim_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// shimOf returns the process of a container's shim.
func (f *fixture) shimOf(id string) int {
	f.t.Helper()
	pids := shim.ProcessesWithin(f.b.Bundle(id))
	if len(pids) != 1 {
		f.t.Fatalf("shim of %s: got processes %v, want one", id, pids)
	}
	return pids[0]
}

const untilTerm = `trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done`

func TestExecutorRestart(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		live, ended := first("live"), first("ended")
		st := f.run(live, runtime, untilTerm)
		est := f.run(ended, runtime, untilTerm)
		f.streams.WaitOutput(live, "out", "ready")
		f.streams.WaitOutput(ended, "out", "ready")
		socket := f.b.Socket(live.ID)
		f.b.Crash()
		// One ends while there is no executor.
		if err := syscall.Kill(est.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		realtest.WaitGone(t, est.PID)
		f.open()

		list, err := realtest.ListEnded(t, f.b, ended)
		if err != nil || len(list) != 2 {
			t.Fatalf("list: got %+v, %v", list, err)
		}
		for _, s := range list {
			if want := map[executor.Ref]executor.State{live: executor.Running, ended: executor.Exited}[s.Ref]; s.State != want {
				t.Errorf("list: %s is %s, want %s", s.Ref, s.State, want)
			}
		}
		begin := time.Now()
		for range 2 {
			got, err := f.b.Restore(t.Context(), live, executor.Stdio{})
			if err != nil || got.State != executor.Running || got.PID != st.PID || !got.StartedAt.Equal(st.StartedAt) {
				t.Errorf("restore a running one: got %+v, %v; want %+v", got, err, st)
			}
			got, err = f.b.Restore(t.Context(), ended, executor.Stdio{})
			if err != nil || !got.State.Ended() {
				t.Errorf("restore an ended one: got %+v, %v", got, err)
			}
		}
		exit, out := f.host.WaitReleased(t, ended)
		if *exit.Code != 9 || exit.Source != executor.Recovered || exit.OOM == nil {
			t.Errorf("exit that nobody watched: got %+v", exit)
		}
		// Nor its output: the time that its deletion takes must tell, and a loaded machine
		// takes as much as output that does not drain.
		if out != executor.Complete && time.Since(begin) < 2*time.Second {
			t.Errorf("output that nobody watched is %s after %s", out, time.Since(begin))
		}
		if err := f.b.Signal(t.Context(), live, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, live); *exit.Code != 9 || exit.Source != executor.Observed {
			t.Errorf("exit after restore: got %+v", exit)
		}
		if _, err := os.Stat(socket); socket == "" || !os.IsNotExist(err) {
			t.Errorf("socket %q after the end: got %v", socket, err)
		}
		if _, err := f.b.Restore(t.Context(), executor.Ref{ID: "live", Attempt: 2}, executor.Stdio{}); executor.CodeOf(err) != executor.NotFound {
			t.Errorf("restore an unknown attempt: got %v", err)
		}
		for ref, exits := range f.host.Exits() {
			if len(exits) != 1 {
				t.Errorf("%s: %d exits were reported, want 1", ref, len(exits))
			}
		}
	})
}

func TestShimKilled(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		for _, watched := range []bool{true, false} {
			t.Run("watched="+strconv.FormatBool(watched), func(t *testing.T) {
				ref := first("w-" + strconv.FormatBool(watched))
				st := f.run(ref, runtime, untilTerm)
				f.streams.WaitOutput(ref, "out", "ready")
				socket, pid := f.b.Socket(ref.ID), f.shimOf(ref.ID)
				if !watched {
					f.b.Crash()
				}
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				if !watched {
					realtest.WaitGone(t, pid)
					f.open()
					if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.State != executor.Exited {
						t.Errorf("restore: got %+v, %v", st, err)
					}
				}
				exit, out := f.host.WaitReleased(t, ref)
				if exit.Source != executor.Lost || exit.Code != nil || exit.Reason == "" || out != executor.Truncated {
					t.Errorf("exit: got %+v, %s", exit, out)
				}
				realtest.WaitGone(t, st.PID)
				if _, err := os.Stat(socket); !os.IsNotExist(err) {
					t.Errorf("socket %s: %v", socket, err)
				}
				if err := f.b.Delete(t.Context(), ref); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestShimKilledAfterExit checks that an exit survives the shim if the executor knew
// it, and that otherwise it is lost and reported as lost.
func TestShimKilledAfterExit(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		known, unknown := first("known"), first("unknown")
		f.host.Answer(realtest.Never)
		f.run(known, runtime, "exit 3")
		waitFile(t, filepath.Join(f.env.StateDir, "containers", known.ID, "exit.json"))
		st := f.run(unknown, runtime, untilTerm)
		f.streams.WaitOutput(unknown, "out", "ready")
		pids := []int{f.shimOf(known.ID), f.shimOf(unknown.ID)}
		f.b.Crash()
		if err := syscall.Kill(st.PID, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		realtest.WaitGone(t, st.PID)
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			realtest.WaitGone(t, pid)
		}
		f.host.Answer(nil)
		f.open()
		for _, ref := range []executor.Ref{known, unknown} {
			if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
				t.Fatal(err)
			}
		}
		if exit, _ := f.host.WaitReleased(t, known); exit.Code == nil || *exit.Code != 3 || exit.Source != executor.Observed {
			t.Errorf("exit that was recorded: got %+v", exit)
		}
		exit, _ := f.host.WaitReleased(t, unknown)
		switch {
		case exit.Source == executor.Lost && exit.Reason != "":
		case exit.Source == executor.Recovered && *exit.Code == 9:
		default:
			t.Errorf("exit that was not recorded: got %+v", exit)
		}
	})
}

func waitFile(t *testing.T, path string) {
	t.Helper()
	wait.Until(t, path+" is there", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

func TestRebooted(t *testing.T) {
	f := newFixture(t, nil)
	ref := first("rebooted")
	f.run(ref, "", "sleep 60")
	f.b.Crash()
	if err := syscall.Kill(f.shimOf(ref.ID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.open()
	// The container of this life of the machine is to be gone as after a reboot.
	runc := exec.Command("runc", "--root", filepath.Join(f.env.RunDir, "runc/davit"), "delete", "--force", filepath.Base(f.b.Bundle(ref.ID)))
	if out, err := runc.CombinedOutput(); err != nil {
		t.Fatalf("runc delete: %v: %s", err, out)
	}
	edit(t, filepath.Join(f.env.StateDir, "containers", ref.ID, "record.json"), `"boot":"`, `"boot":"0`)
	if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
		t.Fatal(err)
	}
	exit, _ := f.host.WaitReleased(t, ref)
	if exit.Source != executor.Lost || !strings.Contains(exit.Reason, "reboot") {
		t.Errorf("exit: got %+v", exit)
	}
}

func edit(t *testing.T, path, old, replacement string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
