// Package asexecutor makes the binary of a package's tests the executor, too, that the
// hosts under test start:
//
//	func TestMain(m *testing.M) {
//		asexecutor.Serve(asexecutor.Memory)
//		os.Exit(m.Run())
//	}
//
//	dir := asexecutor.Dir(t, "memory") // has bin/davit-executor-memory
package asexecutor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

const prefix = "davit-executor-"

// Serve returns at once unless this process is to be an executor, or a workload of the
// memory executor. An executor is served by its name, NAME of davit-executor-NAME.
func Serve(serve func(name string)) {
	memory.RunWorkload()
	if os.Getenv(transport.Handshake().MagicCookieKey) != "" {
		serve(strings.TrimPrefix(filepath.Base(os.Args[0]), prefix))
		os.Exit(0)
	}
	// Programs that were built with -race sleep for a second when they exit.
	os.Setenv("GORACE", "atexit_sleep_ms=0")
}

// Memory serves the memory executor, by any name.
func Memory(string) { plugin.Serve(memory.NewProcesses()) }

// Dir makes a directory whose path leaves room for those of sockets, with executors of
// some names in its directory bin. It is removed when the test ends.
func Dir(t testing.TB, names ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// What was told to end may still write there.
		if !wait.Holds(func() bool { return os.RemoveAll(dir) == nil }) {
			t.Errorf("%s cannot be removed", dir)
		}
	})
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		Add(t, bin, name)
	}
	return dir
}

// Add adds an executor to a directory of executors.
func Add(t testing.TB, bin, name string) {
	t.Helper()
	if err := os.Symlink(Path(t), filepath.Join(bin, prefix+name)); err != nil {
		t.Fatal(err)
	}
}

// Path returns the path of the test binary.
func Path(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Logger logs to the test.
func Logger(t testing.TB) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Output: writer{t}, Level: hclog.Debug})
}

type writer struct{ t testing.TB }

func (w writer) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
