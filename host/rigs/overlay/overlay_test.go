package overlay

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/davit-run/davit/host/rigs/gobuild"
)

const root = "../../.."

// All seams, swaps and patches fit the sources as they are, and what they make of
// them compiles.
func TestAllOfItFits(t *testing.T) {
	t.Run("seams and bugs", func(t *testing.T) {
		build(t, func(dir string) (string, error) { return WithSeams(root, dir) })
	})
	t.Run(Unsynced, func(t *testing.T) {
		build(t, func(dir string) (string, error) { return WithPatch(root, dir, Unsynced) })
	})
}

// build compiles the packages of which something was changed.
func build(t *testing.T, make func(dir string) (string, error)) {
	dir := t.TempDir()
	name, err := make(dir)
	if err != nil {
		t.Fatal(err)
	}
	folders := map[string]bool{}
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(dir, filepath.Dir(path)); filepath.Ext(path) == ".go" {
			folders["./"+rel] = true
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"build", "-overlay=" + name}, slices.Sorted(maps.Keys(folders))...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), gobuild.Flags()...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	t.Logf("%d packages: %v", len(folders), slices.Sorted(maps.Keys(folders)))
}

// A hunk that fits nowhere, or at two places, is refused.
func TestPatchThatDoesNotFit(t *testing.T) {
	for name, source := range map[string]string{
		"changed": "package store\n\nfunc (s *Store) sync() error { return s.db.Flush() }\n",
		"doubled": "package store\n\nfunc (s *Store) sync() error { return s.db.Sync() }\nfunc (s *Store) sync() error { return s.db.Sync() }\n",
	} {
		t.Run(name, func(t *testing.T) {
			tr := tree{root: t.TempDir(), changed: map[string][]byte{"host/internal/store/sync.go": []byte(source)}}
			if err := tr.patch(Unsynced); err == nil {
				t.Error("got nil, want an error")
			}
		})
	}
}
