package blob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/go-digest"
)

func newTestStore(t *testing.T) *Store {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"blobs", "ingest"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return NewStore(filepath.Join(root, "blobs"), filepath.Join(root, "ingest"))
}

// TestDraft writes a blob, and another that is given up.
func TestDraft(t *testing.T) {
	s := newTestStore(t)
	want, err := s.Put([]byte("x"))
	if err != nil || want != digest.FromString("x") {
		t.Fatalf("got %s, %v", want, err)
	}
	d, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write([]byte("y")); err != nil {
		t.Fatal(err)
	}
	if s.Has(digest.FromString("y")) {
		t.Error("it is there before it is whole")
	}
	d.Abort()
	if left, _ := os.ReadDir(s.ingest); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if all, err := s.List(); err != nil || len(all) != 1 || all[0] != want || s.Size(want) != 1 {
		t.Errorf("got %v, %v", all, err)
	}
	if _, err := s.Open(digest.FromString("y")); executor.CodeOf(err) != executor.NotFound {
		t.Errorf("got %v, want not found", err)
	}
	if err := s.Remove(want); err != nil || s.Has(want) {
		t.Errorf("remove: %v", err)
	}
}

// TestKept goes on with a blob that was removed since nobody needed it yet.
func TestKept(t *testing.T) {
	s := newTestStore(t)
	d := digest.FromString("xy")
	for _, text := range []string{"x", "y", ""} { // given up, committed, there
		draft, err := s.Resume(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := draft.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if text != "x" {
			if err := draft.Commit(); err != nil || !s.Has(d) || draft.Size() != 2 {
				t.Fatalf("%q: %v", text, err)
			}
			if err := s.Remove(d); err != nil {
				t.Fatal(err)
			}
		}
		draft.Abort()
	}
	for range 2 { // the second time the blob is the same file
		if draft, err := s.Resume(d); err != nil || draft.Commit() != nil {
			t.Fatal(err)
		}
	}
	if left, _ := os.ReadDir(s.ingest); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	s.Forget(d)
	s.Forget(d)
	if left, _ := os.ReadDir(filepath.Join(s.ingest, PartialDir)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if text, err := s.Read(d, 10); err != nil || string(text) != "xy" {
		t.Errorf("got %q, %v", text, err)
	}
}

// TestDamaged reads a blob that was changed on disk, and writes it again.
func TestDamaged(t *testing.T) {
	s := newTestStore(t)
	d, err := s.Put([]byte("good"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(d), []byte("evil"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(d, 10); executor.CodeOf(err) != executor.Internal {
		t.Errorf("got %v, want internal", err)
	}
	if _, err := s.Put([]byte("good")); err != nil {
		t.Fatal(err)
	}
	if text, err := s.Read(d, 10); err != nil || string(text) != "good" {
		t.Errorf("got %q, %v", text, err)
	}
	if _, err := s.Read(d, 3); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("too long: got %v, want invalid", err)
	}
}

// TestCheckDigest checks what others wrote.
func TestCheckDigest(t *testing.T) {
	if err := CheckDigest(digest.FromString("x")); err != nil {
		t.Error(err)
	}
	for _, d := range []digest.Digest{"", "sha256:", "sha256:../../etc/passwd", digest.Digest("sha512:" + strings.Repeat("0", 128)), "md5:00"} {
		if err := CheckDigest(d); executor.CodeOf(err) != executor.Invalid {
			t.Errorf("%q: got %v, want invalid", d, err)
		}
	}
}
