package wasm_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// built is the directory of the programs that tests build, once.
var built string

func TestMain(m *testing.M) {
	if input, ok := os.LookupEnv(envCreator); ok {
		fmt.Fprintln(os.Stderr, creator(input))
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	built = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// goBuild builds a package into a file of built.
func goBuild(name, pkg string, env ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		path := filepath.Join(built, name)
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
		return path, nil
	})
}

var (
	buildExecutor = goBuild("davit-executor-wasm", "./cmd/davit-executor-wasm", "CGO_ENABLED=0")
	buildWorkload = goBuild("workload.wasm", "./testdata/workload", "GOOS=wasip1", "GOARCH=wasm")
)

// program returns the executor's program.
func program(t testing.TB) string { return mustBuild(t, buildExecutor) }

// workloadModule returns the module of testdata/workload.
func workloadModule(t testing.TB) string { return mustBuild(t, buildWorkload) }

func mustBuild(t testing.TB, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
