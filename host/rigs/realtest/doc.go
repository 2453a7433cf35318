// Package realtest provides tests with a real containerd of a chosen version, a root
// file system to run, and a way to prove that nothing was left behind.
//
// containerd 1.6 is the machine's own. Other versions are looked for under
// .build/deps in the module's root, where `make` puts them. A test whose
// programs are absent is skipped, or fails if DAVIT_REQUIRE_REAL=1 is set.
//
// # What a quick run covers
//
// `make test` takes each containerd (1.6, 1.7.35, 2.4.2) with one of its runtimes, so
// that each generation of shims is there once: io.containerd.runtime.v1.linux on 1.6,
// io.containerd.runc.v1 on 1.7.35, runc on 2.4.2. The tests of executors/containerd
// run on each of these three, and all of the conformance suite does. The tests that
// take a daemon down run all of its runtimes together. Those of executors/shim take
// davit's own shim, and those of containerd 1.6 (v2), 1.7.35 (v1) and 2.4.2 (v2).
//
// `make matrix` (DAVIT_MATRIX=1) takes every combination, in the same tests: eleven
// runtimes on three daemons, and seven shims. Only it runs every shim below every
// daemon that is not its own (TestSkew), kills a daemon at every 9 ms of a Create
// instead of every 27, and builds and tests what `davit new executor` makes
// (TestNewExecutor; that it makes the example is checked in each run, and the example
// has tests of its own). It also takes what combines other things in the same way: each
// harm to each shim, each runtime on each daemon as users run it, all checks of the
// conformance suite on each broken executor, twenty downloads from published ports, two
// hundred containers on a network, a thousand flipped bits in the host's state.
//
// The conformance suite runs in every mode on the executor in memory. Executors with a
// real backend run it as programs, and directly where that shows more: see package
// conformance.
package realtest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// The versions of containerd that tests run against.
const (
	V16 = "1.6"
	V17 = "1.7.35"
	V24 = "2.4.2"
)

// Bin returns the directory of the programs of a version of containerd.
func Bin(t testing.TB, version string) string {
	t.Helper()
	dir := "/usr/bin"
	if version != V16 {
		dir = filepath.Join(deps(), "containerd-"+version, "bin")
	}
	Need(t, filepath.Join(dir, "containerd"))
	return dir
}

// ShimBin returns the directory of a shim that was built alone.
func ShimBin(t testing.TB, version string) string {
	t.Helper()
	dir := filepath.Join(deps(), "shim-"+version, "bin")
	Need(t, filepath.Join(dir, "containerd-shim-runc-v2"))
	return dir
}

// Need skips the test, or fails it, if it is not run by root or a program is
// absent.
func Need(t testing.TB, program string) {
	t.Helper()
	skip := t.Skipf
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		skip = t.Fatalf
	}
	if os.Geteuid() != 0 {
		skip("needs root")
	}
	if _, err := os.Stat(program); err != nil {
		skip("%v (make deps)", err)
	}
}

func deps() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../../.build/deps")
}

// Dir makes a directory with a path that is short enough for sockets.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
