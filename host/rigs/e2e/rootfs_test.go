package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLayerOverRootfs runs a container with a layer of its own over a directory, which is
// kept over its restarts and not written to.
func TestLayerOverRootfs(t *testing.T) {
	need(t)
	s := newSite(t, "backend \"shim\" {\n  executor = \"shim\"\n}\n")
	s.must("run", "--name", "c", "--rootfs", rootfs+":O", "sh", "-c", "cat /own; echo kept >>/own")
	if got := s.must("start", "-a", "c"); got != "kept" {
		t.Errorf("the second start sees %q", got)
	}
	if _, err := os.Lstat(filepath.Join(rootfs, "own")); err == nil {
		t.Error("the directory was written to")
	}
	s.must("rm", "c")
	if left, err := os.ReadDir(filepath.Join(s.dir, "state/roots")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
