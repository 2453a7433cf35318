package shim_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// gvisor is a runtime block for gVisor's runsc, as doc.go explains it.
func gvisor(t testing.TB) executor.RuntimeSettings {
	t.Helper()
	if _, err := exec.LookPath("runsc"); err != nil {
		t.Skip("runsc is not installed (apt-get install runsc)")
	}
	body, err := json.Marshal(map[string]any{
		"path": "runsc",
		"args": []string{"--platform=ptrace", "--network=none", "--ignore-cgroups"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return executor.RuntimeSettings{Name: "gvisor", Body: body}
}

func TestGVisor(t *testing.T) {
	f := newFixture(t, nil, gvisor(t))
	ref := first("sandboxed")
	f.run(ref, "gvisor", "dmesg | head -1; echo err >&2; exit 7")
	exit, out := f.host.WaitReleased(t, ref)
	if exit.Code == nil || *exit.Code != 7 || exit.Source != executor.Observed || out != executor.Complete {
		t.Errorf("exit: got %+v, %s", exit, out)
	}
	if got := f.streams.Output(ref, "out"); !strings.Contains(got, "gVisor") {
		t.Errorf("kernel's log: got %q, want gVisor's", got)
	}
	if got := f.streams.Output(ref, "err"); got != "err\n" {
		t.Errorf("stderr: got %q", got)
	}

	ref = first("signalled")
	f.run(ref, "gvisor", untilTerm)
	f.streams.WaitOutput(ref, "out", "ready")
	f.b.Crash()
	f.open()
	if st, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil || st.State != executor.Running {
		t.Fatalf("restore: got %+v, %v", st, err)
	}
	if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.host.WaitReleased(t, ref); exit.Code == nil || *exit.Code != 9 {
		t.Errorf("exit after a signal: got %+v", exit)
	}
}
