package shim_test

import (
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// TestStartThatNeverExecutes: a workload that the runtime gives up before it has executed
// it has not run, and has no exit. Only davit's own shim can see that.
func TestStartThatNeverExecutes(t *testing.T) {
	f := newFixture(t, nil)
	ref := first("hook")
	w := f.workload(ref, "", "echo ran")
	w.Spec = realtest.WithHook(t, w.Spec, "startContainer", "echo no such luck >&2; exit 3")
	_, err := f.b.Create(t.Context(), w)
	if executor.CodeOf(err) != executor.Internal || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("startContainer hook that fails: got %s: %v", executor.CodeOf(err), err)
	}
	// A format that is found out last.
	if err := linux.WriteProgram(f.rootfs+"/bin/foreign", []byte("\x7fELF\x02\x01\x01"), 0o755); err != nil {
		t.Fatal(err)
	}
	w = f.workload(first("foreign"), "", "")
	w.Spec = realtest.Spec(t, f.rootfs, nil, "/bin/foreign")
	_, err = f.b.Create(t.Context(), w)
	if executor.CodeOf(err) != executor.CommandNotExecutable || !strings.Contains(err.Error(), "exec format error") {
		t.Errorf("broken program: got %s: %v", executor.CodeOf(err), err)
	}
	for _, ref := range []executor.Ref{ref, first("foreign")} {
		for _, stream := range []string{"out", "err"} {
			if got := f.streams.Output(ref, stream); got != "" {
				t.Errorf("%s: %s has %q of something that never ran", ref, stream, got)
			}
		}
	}
	if len(f.host.Exits()) > 0 {
		t.Errorf("exits: got %+v", f.host.Exits())
	}
}

// TestWorkloadCannotEraseItsExit: a workload prints what an init prints whose start was
// cut off, and ends while nobody watches. It has run all the same.
func TestWorkloadCannotEraseItsExit(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("forger")
		st := f.run(ref, runtime, "while [ ! -e /go ]; do sleep 0.02; done; echo 'write exec fifo /x: broken pipe' >&2; exit 1")
		f.b.Crash()
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
		if _, err := f.b.Create(t.Context(), f.workload(ref, runtime, "exit 9")); err != nil {
			t.Errorf("create again: %v", err)
		}
	})
}
