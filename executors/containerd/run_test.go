package containerd

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

func testRun(t *testing.T, f *fixture, runtime string) {
	ref := first("hello")
	st := f.run(ref, runtime, "echo out; echo err >&2; exit 7")
	if st.State != executor.Running || st.PID == 0 || st.Runtime != runtime {
		t.Errorf("status after create: got %+v, want a running one", st)
	}
	exit, out := f.host.WaitReleased(t, ref)
	if exit.Code == nil || *exit.Code != 7 || exit.Signal != 0 || exit.Source != executor.Observed || exit.OOM == nil || *exit.OOM {
		t.Errorf("exit: got %+v", exit)
	}
	if out != executor.Complete {
		t.Errorf("output: got %s", out)
	}
	if got := f.streams.Output(ref, "out"); got != "out\n" {
		t.Errorf("stdout: got %q", got)
	}
	if got := f.streams.Output(ref, "err"); got != "err\n" {
		t.Errorf("stderr: got %q", got)
	}
	cid := f.b.driver.owner.ContainerID(ref.ID)
	realtest.LeaveCgroup(t, f.b.driver.owner.Cgroup("", cid, false))
	for range 2 {
		if err := f.b.Delete(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
}

func testDeathBySignal(t *testing.T, f *fixture, runtime string) {
	ref := first("killed")
	f.run(ref, runtime, "sleep 60")
	if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit, _ := f.host.WaitReleased(t, ref)
	if exit.Code == nil || *exit.Code != 137 || exit.Signal != syscall.SIGKILL || *exit.OOM {
		t.Errorf("exit: got %+v", exit)
	}
	if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("signal after the end: got %v", err)
	}
}

func testOOM(t *testing.T, f *fixture, runtime string) {
	ref := first("oom")
	w := f.workload(ref, runtime, "")
	w.Spec = realtest.Spec(t, f.rootfs, map[string]any{
		"resources": map[string]any{"memory": map[string]any{"limit": 16 << 20, "swap": 16 << 20}},
	}, "/bin/sh", "-c", "x=aaaaaaaa; while :; do x=$x$x; done")
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	exit, _ := f.host.WaitReleased(t, ref)
	if exit.Code == nil || *exit.Code != 137 || exit.OOM == nil || !*exit.OOM || exit.Signal != syscall.SIGKILL {
		t.Errorf("exit: got %+v", exit)
	}
}

func testMergedOutput(t *testing.T, f *fixture, runtime string) {
	ref := first("merged")
	w := f.workload(ref, runtime, "echo a; echo b >&2; echo c")
	w.Stdio.Stderr = w.Stdio.Stdout
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	f.host.WaitReleased(t, ref)
	for _, line := range []string{"a\n", "b\n", "c\n"} {
		if got := f.streams.Output(ref, "out"); !strings.Contains(got, line) {
			t.Errorf("output: got %q, want %q in it", got, line)
		}
	}
}

func testNullOutput(t *testing.T, f *fixture, runtime string) {
	for i, drop := range []func(*executor.Stdio){
		func(s *executor.Stdio) { s.Stdout = executor.Stream{} },
		func(s *executor.Stdio) { s.Stderr = executor.Stream{} },
		func(s *executor.Stdio) { *s = executor.Stdio{} },
	} {
		ref := first(fmt.Sprintf("null%d", i))
		w := f.workload(ref, runtime, "cat; echo a; echo b >&2; exit 3")
		drop(&w.Stdio)
		if _, err := f.b.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		exit, out := f.host.WaitReleased(t, ref)
		if *exit.Code != 3 || out != executor.Complete {
			t.Errorf("case %d: got %+v, %s", i, exit, out)
		}
	}
}
