package realtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Foreign is an OCI runtime that is not the machine's runc.
type Foreign struct {
	Name, Path string
	Args       []string
}

// gvisorArgs make runsc run anywhere: without its own network, and without the cgroups
// and the kernel features that not every machine has.
var gvisorArgs = []string{"--platform=ptrace", "--network=none", "--ignore-cgroups"}

// Foreigners returns the runtimes that `make foreign` has built, and a runsc that is
// installed. A test of a machine that has none is skipped.
func Foreigners(t testing.TB) (all []Foreign) {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(filepath.Dir(deps()), "foreign/*/bin/*"))
	for _, path := range append(paths, "/usr/bin/runsc") {
		info, err := os.Stat(path)
		if err != nil || info.Mode()&0o111 == 0 || filepath.Base(path) == "containerd-shim-runsc-v1" {
			continue
		}
		f := Foreign{Name: filepath.Base(filepath.Dir(filepath.Dir(path))), Path: path}
		if filepath.Base(path) == "runsc" {
			f.Args = gvisorArgs
		}
		all = append(all, f)
	}
	if len(all) == 0 {
		t.Skip("there are no other runtimes here (make foreign)")
	}
	return all
}
