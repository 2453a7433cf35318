package wasm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
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

var (
	buildExecutor = sync.OnceValues(func() (string, error) {
		return filepath.Join(built, "davit-executor-wasm"), gobuild.Make(built, "./executors/wasm/cmd/davit-executor-wasm")
	})
	buildWorkload = sync.OnceValues(func() (string, error) {
		path := filepath.Join(built, "workload.wasm")
		return path, gobuild.Wasm(path, "./executors/wasm/testdata/workload")
	})
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
