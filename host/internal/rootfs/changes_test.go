package rootfs

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/davit-run/davit/host/internal/images/layer"
)

// TestChanges changes files of two layers in each way, and asks what has changed.
func TestChanges(t *testing.T) {
	s := open(t, t.TempDir(), "one", "two")
	lower := filepath.Join(s.layers, layer.Path("one"))
	if err := errors.Join(
		os.MkdirAll(filepath.Join(lower, "again", "sub", "deep"), 0o755), os.WriteFile(filepath.Join(lower, "again", "sub", "gone"), nil, 0o644), os.WriteFile(filepath.Join(lower, "again", "same"), nil, 0o644),
		os.MkdirAll(filepath.Join(lower, "mode"), 0o755), os.MkdirAll(filepath.Join(lower, "etc"), 0o755), os.WriteFile(filepath.Join(lower, "dir"), nil, 0o644), os.MkdirAll(filepath.Join(lower, "whole"), 0o755),
	); err != nil {
		t.Fatal(err)
	}
	if err := s.Create("c", []string{"one", "two"}); err != nil {
		t.Fatal(err)
	}
	none := func(string) bool { return false }
	if got, err := s.Changes(t.Context(), "c", none); err != nil || len(got) > 0 {
		t.Errorf("untouched: got %v, %v", got, err)
	}
	at := func(name string) string { return filepath.Join(s.Path("c"), name) }
	if err := errors.Join(
		os.WriteFile(at("d/one"), []byte("other"), 0o644), os.Remove(at("d/two")), os.MkdirAll(at("new/sub"), 0o755), os.Symlink("/nowhere", at("new/link")),
		os.RemoveAll(at("again")), os.MkdirAll(at("again/sub"), 0o755), os.WriteFile(at("again/same"), nil, 0o644),
		os.Chmod(at("mode"), 0o700), os.WriteFile(at("etc/hosts"), nil, 0o644), os.Remove(at("dir")), os.Mkdir(at("dir"), 0o755), os.Remove(at("whole")),
		os.WriteFile(at("tmp"), nil, 0o644), os.Remove(at("tmp")), // of which nothing is left
	); err != nil {
		t.Fatal(err)
	}
	want := []layer.Change{
		{Path: "/again", Kind: layer.Changed}, {Path: "/again/same", Kind: layer.Changed}, {Path: "/again/sub", Kind: layer.Changed}, {Path: "/again/sub/deep", Kind: layer.Deleted}, {Path: "/again/sub/gone", Kind: layer.Deleted},
		{Path: "/d", Kind: layer.Changed}, {Path: "/d/one", Kind: layer.Changed}, {Path: "/d/two", Kind: layer.Deleted}, {Path: "/dir", Kind: layer.Changed}, {Path: "/mode", Kind: layer.Changed},
		{Path: "/new", Kind: layer.Added}, {Path: "/new/link", Kind: layer.Added}, {Path: "/new/sub", Kind: layer.Added}, {Path: "/whole", Kind: layer.Deleted},
	}
	got, err := s.Changes(t.Context(), "c", func(path string) bool { return path == "/etc/hosts" || path == "/mode" })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v\nwant %v", got, err, want)
	}
	wantLayer(t, s)
}

// wantLayer packs what the container c has changed.
func wantLayer(t *testing.T, s *Store) {
	t.Helper()
	var archive bytes.Buffer
	if err := s.Pack(t.Context(), &archive, "c", func(path string) bool { return path == "/etc/hosts" }); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(&archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %o%s%s", h.Name, h.Mode, h.Linkname, content))
	}
	want := []string{
		"again/ 755", "again/same 644", "again/sub/ 755", "again/sub/.wh.deep 600", "again/sub/.wh.gone 600", "d/ 755", "d/one 644other", "d/.wh.two 600", "dir/ 755", "mode/ 700",
		"new/ 755", "new/link 777/nowhere", "new/sub/ 755", ".wh.whole 600",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
