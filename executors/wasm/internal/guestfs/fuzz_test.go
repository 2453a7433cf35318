package guestfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzOpen checks that no name leads a module out of its tree.
func FuzzOpen(f *testing.F) {
	root := f.TempDir()
	secret := filepath.Join(f.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("outside"), 0o600); err != nil {
		f.Fatal(err)
	}
	if err := os.MkdirAll(root+"/a/b", 0o755); err != nil {
		f.Fatal(err)
	}
	for name, target := range map[string]string{"/abs": secret, "/up": "../../../../../../" + secret, "/a/loop": "loop", "/a/dir": "/"} {
		if err := os.Symlink(target, root+name); err != nil {
			f.Fatal(err)
		}
	}
	for _, name := range []string{"/abs", "up", "a/dir/../..", "a/loop/x", "..", "/../" + secret, "a/b/../../up", "\x00", strings.Repeat("a/../", 300)} {
		f.Add(name)
	}
	tree, err := New([]Mount{{Source: root, Target: "/"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { tree.Close() })
	f.Fuzz(func(t *testing.T, name string) {
		file, err := tree.Open(name)
		if err != nil {
			return
		}
		defer file.Close()
		text := make([]byte, 7)
		if n, _ := file.Read(text); string(text[:n]) == "outside" {
			t.Errorf("%q leads out of the tree", name)
		}
	})
}
