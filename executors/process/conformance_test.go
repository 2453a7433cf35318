package process_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/executors/process"
	"github.com/davit-run/davit/shared/conformance"
	"github.com/davit-run/davit/shared/executor"
)

func TestConformance(t *testing.T) {
	e := process.Executor()
	binary := ""
	if os.Geteuid() != nobody { // who cannot build one
		binary = build(t)
	}
	conformance.Test(t, conformance.Target{
		Executor: &e,
		Binary:   binary,
		Spec:     conformance.Shell,
		Refused: []executor.Settings{
			{Config: json.RawMessage(`{"ignore":["mount"]}`)},
			{Config: json.RawMessage(`{"cgroup_parent":"davit"}`)},
		},
	})
}

// build builds the executor's program.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "davit-executor-process")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/davit-executor-process")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}
