package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/internal/images/layer"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// open opens a store in a directory whose name means something in mount options, over
// layers that have one file each.
func open(t *testing.T, dir string, layers ...string) *Store {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, name := range layers {
		tree := filepath.Join(dir, "layers", layer.Path(name))
		if err := errors.Join(os.MkdirAll(filepath.Join(tree, "d"), 0o755), os.WriteFile(filepath.Join(tree, "d", name), []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(filepath.Join(dir, "roots"), filepath.Join(dir, "layers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ids, err := s.IDs()
		if err != nil {
			t.Error(err)
		}
		for _, id := range ids {
			if err := s.Remove(id); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

// TestLife makes a root file system, unmounts it as a reboot would, and removes it.
func TestLife(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "a,b:c=d"), "one", "two")
	if err := s.Create("c", []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if text, err := os.ReadFile(filepath.Join(s.Path("c"), "d", name)); err != nil || string(text) != name {
			t.Errorf("got %q, %v", text, err)
		}
	}
	own := filepath.Join(s.Path("c"), "d", "own")
	if err := os.WriteFile(own, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.layers, layer.Path("two"), "d", "own")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the layer was written to: %v", err)
	}
	if err := s.Create("c", nil); err == nil {
		t.Error("it was made twice")
	}
	if needed, err := s.Layers(); err != nil || len(needed) != 2 {
		t.Errorf("needed: %v, %v", needed, err)
	}
	for range 2 { // the second time it is mounted
		if err := s.Mount("c"); err != nil {
			t.Error(err)
		}
	}
	if err := unix.Unmount(s.Path("c"), 0); err != nil {
		t.Fatalf("it is mounted more than once, or not at all: %v", err)
	}
	if err := s.Mount("c"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Errorf("what was written is gone: %v", err)
	}
	for range 2 {
		if err := s.Remove("c"); err != nil || s.Has("c") {
			t.Errorf("remove: %v", err)
		}
	}
	if err := s.Mount("c"); err != nil {
		t.Errorf("mount of what is gone: %v", err)
	}
}

// TestNoLayers makes a root file system of an image without layers, and directories in it.
func TestNoLayers(t *testing.T) {
	s := open(t, t.TempDir(), "unused")
	if err := s.Create("c", nil); err != nil {
		t.Fatal(err)
	}
	root := s.Path("c")
	if st, err := os.Stat(root); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("got %v, %v", st.Mode(), err)
	}
	if err := errors.Join(os.Symlink("/to", filepath.Join(root, "link")), os.Mkdir(filepath.Join(root, "to"), 0o755), os.WriteFile(filepath.Join(root, "file"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for path, at := range map[string]string{"/": ".", "/a/b": "a/b", "/link/x": "to/x", "/../../y": "y"} {
		if err := s.MakeDir("c", path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if st, err := os.Stat(filepath.Join(root, at)); err != nil || !st.IsDir() {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := s.MakeDir("c", "/file/x"); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("below a file: got %v, want invalid", err)
	}
}

// TestOver makes a root file system over a directory, which is not written to.
func TestOver(t *testing.T) {
	s := open(t, t.TempDir(), "unused")
	dir := filepath.Join(t.TempDir(), "a,b:c\\d=e")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o600), os.Chown(dir, 33, 34), unix.Chmod(dir, 0o1750)); err != nil {
		t.Fatal(err)
	}
	for _, lower := range []string{"a/relative/path", dir + "/none", dir + "/file"} {
		if err := s.CreateOver("c", lower); executor.CodeOf(err) != executor.Invalid || s.Has("c") {
			t.Errorf("%s: got %v, want invalid", lower, err)
		}
	}
	if err := s.CreateOver("c", dir); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(s.Path("c"), &st); err != nil || st.Uid != 33 || st.Gid != 34 || st.Mode&0o7777 != 0o1750 {
		t.Errorf("it has not the owner and mode of the directory: %+v, %v", st, err)
	}
	file := filepath.Join(s.Path("c"), "file")
	if err := os.WriteFile(file, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Unmount(s.Path("c"), 0), s.Mount("c")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); string(text) != "new" {
		t.Errorf("after another mount it has %q, %v", text, err)
	}
	if err := s.Remove("c"); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); string(text) != "old" {
		t.Errorf("the directory has %q, %v", text, err)
	}
}

// TestOnOverlay makes a root file system where overlay does not work: on an overlay.
func TestOnOverlay(t *testing.T) {
	outer := open(t, t.TempDir(), "x")
	if err := outer.Create("c", []string{"x"}); err != nil {
		t.Fatal(err)
	}
	s := open(t, filepath.Join(outer.Path("c"), "state"), "one")
	err := s.Create("inner", []string{"one"})
	if executor.CodeOf(err) != executor.Unsupported || !strings.Contains(err.Error(), "state_dir") {
		t.Errorf("got %v, want unsupported and what to do", err)
	}
	if s.Has("inner") {
		t.Error("something is left")
	}
}
