package storm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The short storm. `make storm` runs a long one.
func TestStorm(t *testing.T) {
	complain := t.Skipf
	if os.Getenv("DAVIT_REQUIRE_REAL") == "1" {
		complain = t.Fatalf
	}
	if os.Getenv("DAVIT_STORM") == "" {
		t.Skip("set DAVIT_STORM=1 for a short storm, or run `make storm` for a long one")
	}
	if os.Geteuid() != 0 {
		complain("needs root")
	}
	found, _ := filepath.Glob("../../.build/deps/containerd-2.*/bin/containerd")
	if len(found) == 0 {
		complain("needs a containerd 2: run `make deps`")
	}
	newest, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	debian := "/usr/bin/containerd"
	for _, program := range []string{debian, newest, "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			complain("needs %s: run `make setup`", program)
		}
	}
	var out strings.Builder
	err = Run(t.Context(), Options{
		Seed: uint64(time.Now().UnixNano()), Duration: 15 * time.Second, Parallel: 4, Verbose: true,
		Module: "../..", Debian: debian, Newest: newest, Out: &out,
	})
	t.Log(out.String())
	if err != nil {
		t.Error(err)
	}
}
