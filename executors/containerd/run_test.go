package containerd

import (
	"testing"

	"github.com/davit-run/davit/executors/internal/realtest"
	"github.com/davit-run/davit/shared/executor"
)

func TestRun(t *testing.T) {
	f := on(t, realtest.Start(t, realtest.V16))
	ref := first("hello")
	st := f.run(ref, "runc", "echo out; echo err >&2; exit 7")
	if st.State != executor.Running || st.PID == 0 {
		t.Errorf("status after create: got %+v, want a running one", st)
	}
	exit, out := f.host.waitReleased(t, ref)
	if exit.Code == nil || *exit.Code != 7 || exit.Source != executor.Observed || exit.OOM == nil || *exit.OOM {
		t.Errorf("exit: got %+v", exit)
	}
	if out != executor.Complete {
		t.Errorf("output: got %s", out)
	}
	if got := f.output(ref, "out"); got != "out\n" {
		t.Errorf("stdout: got %q", got)
	}
	if got := f.output(ref, "err"); got != "err\n" {
		t.Errorf("stderr: got %q", got)
	}
	if err := f.b.Delete(t.Context(), ref); err != nil {
		t.Error(err)
	}
}
