package containerd

import (
	"os"
	"testing"
)

// TestRemovedMarkLeavesNoDraft: what an executor leaves that is killed while it
// writes a mark is removed later.
func TestRemovedMarkLeavesNoDraft(t *testing.T) {
	m := marks{dir: t.TempDir()}
	if err := m.write("one", mark{Attempt: 1}, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.path("one")+"~", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.forget("one"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(m.dir); err != nil || len(left) != 0 {
		t.Errorf("got %v, %v, want nothing left", left, err)
	}
}
