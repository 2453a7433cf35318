package archive

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/internal/images/blob"
	"github.com/davit-run/davit/host/internal/images/manifest"
)

// FuzzRead reads garbage. Nothing of it may be left; package images tests archives that
// are right.
func FuzzRead(f *testing.F) {
	f.Add([]byte("garbage"))
	f.Add(make([]byte, 1024))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		for _, name := range []string{"blobs", "ingest"} {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		a, err := Read(t.Context(), bytes.NewReader(raw), blob.NewStore(filepath.Join(dir, "blobs"), filepath.Join(dir, "ingest")))
		if err == nil {
			_, _ = a.Images(manifest.Here())
			a.Close()
		}
		for _, name := range []string{"blobs", "ingest"} {
			if left, _ := os.ReadDir(filepath.Join(dir, name)); len(left) > 0 {
				t.Errorf("left in %s: %v", name, left)
			}
		}
	})
}
