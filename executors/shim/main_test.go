package shim_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/executors/shim/minishim"
)

func TestMain(m *testing.M) {
	minishim.Main()
	os.Exit(m.Run())
}

// build builds the executor's program.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "davit-executor-shim")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/davit-executor-shim")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}
