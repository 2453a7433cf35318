package containerd

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

const untilTerm = `trap 'exit 9' TERM; echo ready; while :; do sleep 0.02; done`

func testExecutorRestart(t *testing.T, f *fixture, runtime string) {
	live, ended := first("live"), first("ended")
	st := f.run(live, runtime, untilTerm)
	est := f.run(ended, runtime, untilTerm)
	f.streams.WaitOutput(live, "out", "ready")
	f.streams.WaitOutput(ended, "out", "ready")
	f.crash()
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
		if err != nil || got.State != executor.Running || got.PID != st.PID {
			t.Errorf("restore a running one: got %+v, %v", got, err)
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
	if _, err := f.b.Restore(t.Context(), executor.Ref{ID: "live", Attempt: 2}, executor.Stdio{}); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("restore an unknown attempt: got %v", err)
	}
	for ref, exits := range f.host.Exits() {
		if len(exits) != 1 {
			t.Errorf("%s: %d exits were reported, want 1", ref, len(exits))
		}
	}
}

func TestDaemonRestartWhileRunning(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		f := on(t, d)
		for _, rt := range served[version] {
			f.run(first(id(rt)), rt, untilTerm)
			f.streams.WaitOutput(first(id(rt)), "out", "ready")
		}
		for _, stop := range []func(){d.Kill, d.Stop} {
			stop()
			time.Sleep(100 * time.Millisecond)
			d.Start()
			for _, rt := range served[version] {
				st, err := f.b.Restore(t.Context(), first(id(rt)), executor.Stdio{})
				if err != nil || st.State != executor.Running {
					t.Errorf("%s after the daemon's restart: got %+v, %v", rt, st, err)
				}
			}
		}
		for _, rt := range served[version] {
			if err := f.b.Signal(t.Context(), first(id(rt)), syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			exit, out := f.host.WaitReleased(t, first(id(rt)))
			if exit.Code == nil || *exit.Code != 9 {
				t.Errorf("%s: got %+v", rt, exit)
			}
			// A restarted daemon waits until init has reaped a shim of the first
			// generation. Where that takes 2 s it looks like output that would
			// not drain.
			if out != executor.Complete && rt != runtimes.ShimLinuxV1 {
				t.Errorf("%s: output is %s", rt, out)
			}
		}
	})
}

// id returns a container id made of a runtime's name.
func id(runtime string) string { return strings.ReplaceAll(runtime, ".", "-") }

func TestDaemonDownWhileExiting(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		f := on(t, d)
		pids := make(map[string]int)
		for _, rt := range served[version] {
			pids[rt] = f.run(first(id(rt)), rt, untilTerm).PID
			f.streams.WaitOutput(first(id(rt)), "out", "ready")
		}
		d.Kill()
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			realtest.WaitGone(t, pid)
		}
		time.Sleep(100 * time.Millisecond)
		d.Start()
		for _, rt := range served[version] {
			exit, out := f.host.WaitReleased(t, first(id(rt)))
			if exit.Code == nil || *exit.Code != 9 || exit.Source == executor.Lost {
				t.Errorf("%s: got %+v, %s", rt, exit, out)
			}
		}
	})
}

func TestExecutorAndDaemonDownWhileExiting(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		f := on(t, d)
		pids := make(map[string]int)
		for _, rt := range served[version] {
			pids[rt] = f.run(first(id(rt)), rt, untilTerm).PID
			f.streams.WaitOutput(first(id(rt)), "out", "ready")
		}
		f.crash()
		d.Kill()
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			realtest.WaitGone(t, pid)
		}
		d.Start()
		f.open()
		for _, rt := range served[version] {
			begin := time.Now()
			if _, err := f.b.Restore(t.Context(), first(id(rt)), executor.Stdio{}); err != nil {
				t.Fatal(err)
			}
			exit, out := f.host.WaitReleased(t, first(id(rt)))
			if exit.Code == nil || *exit.Code != 9 || exit.Source != executor.Recovered {
				t.Errorf("%s: got %+v", rt, exit)
			}
			// Nobody watched its output drain, so the time that its deletion takes must
			// tell: on a loaded machine it may say no more than that output may be missing.
			if out != executor.Complete && time.Since(begin) < 2*time.Second {
				t.Errorf("%s: the output is %s after %s", rt, out, time.Since(begin))
			}
		}
	})
}

func testShimKilled(t *testing.T, f *fixture, runtime string) {
	ref := first("shimless")
	st := f.run(ref, runtime, untilTerm)
	f.streams.WaitOutput(ref, "out", "ready")
	if err := syscall.Kill(realtest.Parent(t, st.PID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit, out := f.host.WaitReleased(t, ref)
	if exit.Source != executor.Lost || exit.Code != nil || exit.Reason == "" || out != executor.Truncated {
		t.Errorf("got %+v, %s", exit, out)
	}
	t.Log(exit.Reason)
	realtest.WaitGone(t, st.PID)
}

func testExitOfExecIsNotTaken(t *testing.T, f *fixture, runtime string) {
	ref := first("execs")
	f.run(ref, runtime, untilTerm)
	f.streams.WaitOutput(ref, "out", "ready")
	out, err := exec.Command("ctr", "-a", f.b.driver.config.Address, "-n", "davit", "tasks", "exec", "--exec-id", "x", f.b.driver.owner.ContainerID(ref.ID), "/bin/sh", "-c", "exit 3").CombinedOutput()
	if err == nil {
		t.Errorf("exec: got success, want exit code 3: %s", out)
	}
	time.Sleep(100 * time.Millisecond)
	if exits := f.host.Exits()[ref]; len(exits) > 0 {
		t.Errorf("the exit of an exec ended the container: %+v", exits[0])
	}
	if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 9 {
		t.Errorf("got %+v", exit)
	}
}

func TestSameIDOnTwoBackends(t *testing.T) {
	t.Parallel()
	d, d2 := startDaemon(t, realtest.V16), startDaemon(t, realtest.V16)
	fixtures := []*fixture{
		newFixture(t, "host/a", map[string]any{"address": d.Address}),
		newFixture(t, "host/b", map[string]any{"address": d.Address}),
		newFixture(t, "host/a", map[string]any{"address": d2.Address}),
		newFixture(t, "other/a", map[string]any{"address": d2.Address}),
	}
	ref := first("same")
	for i, f := range fixtures {
		f.run(ref, "", untilTerm)
		f.streams.WaitOutput(ref, "out", "ready")
		if list, err := f.b.List(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("backend %d: list: got %+v, %v", i, list, err)
		}
	}
	for i, f := range fixtures {
		if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 9 {
			t.Errorf("backend %d: got %+v", i, exit)
		}
		for _, other := range fixtures[i+1:] {
			if st, err := other.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.State != executor.Running {
				t.Errorf("after the end on backend %d: another has %+v, %v", i, st, err)
			}
		}
	}
}
