package rootfs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/internal/images/layer"
)

// TestManyLayers mounts as many layers as an image may have: the options of a mount are one
// page.
func TestManyLayers(t *testing.T) {
	names := make([]string, layer.Max)
	for i := range names {
		names[i] = fmt.Sprintf("layer-%06d", i) // as long as layers' names are
	}
	s := open(t, t.TempDir(), names...)
	id := fmt.Sprintf("%064d", 0)
	if err := s.Create(id, names); err != nil {
		t.Fatal(err)
	}
	found, err := os.ReadDir(filepath.Join(s.Path(id), "d"))
	if err != nil || len(found) != len(names) {
		t.Errorf("%d files of %d layers, %v", len(found), len(names), err)
	}
}
