// Package realtest gives tests a real containerd of a chosen version, a root
// file system to run, and a way to prove that nothing was left behind.
//
// containerd 1.6 is the machine's own. Other versions are looked for under
// .build/deps in the module's root, where `make` puts them. A test whose
// programs are absent is skipped, or fails if DAVIT_REQUIRE_REAL=1 is set.
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

// Bin gives the directory of the programs of a version of containerd.
func Bin(t testing.TB, version string) string {
	t.Helper()
	dir := "/usr/bin"
	if version != V16 {
		dir = filepath.Join(deps(), "containerd-"+version, "bin")
	}
	Need(t, filepath.Join(dir, "containerd"))
	return dir
}

// ShimBin gives the directory of a shim that was built alone.
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
	return filepath.Join(filepath.Dir(file), "../../.build/deps")
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
