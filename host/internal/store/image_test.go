package store

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	bolt "go.etcd.io/bbolt"
)

// TestImages moves a name from one image to another, and finds images.
func TestImages(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put := func(id string, names ...string) error {
		return s.Update(t.Context(), func(tx *Tx) error { return tx.PutImage(&Image{ID: "sha256:" + id, Names: names}) })
	}
	for _, err := range []error{put("aa1", "x:1", "x:2"), put("aa2", "x:2", "y:1")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := put("bb", ""); executor.CodeOf(err) != executor.Invalid {
		t.Errorf("an empty name: got %v, want invalid", err)
	}
	find := func(name, prefix string) (id string, code executor.Code) {
		err := s.View(func(tx *Tx) error {
			image, err := tx.FindImage(name, prefix)
			if err == nil {
				id = image.ID
			}
			return err
		})
		return id, executor.CodeOf(err)
	}
	for _, tt := range []struct {
		name, prefix, id string
		code             executor.Code
	}{
		{"x:1", "", "sha256:aa1", ""}, {"x:2", "", "sha256:aa2", ""}, {"y:1", "aa1", "sha256:aa2", ""}, {"z", "aa1", "sha256:aa1", ""},
		{"z", "sha256:aa2", "sha256:aa2", ""}, {"z", "aa", "", executor.Invalid}, {"z", "", "", executor.NotFound}, {"z", "ab", "", executor.NotFound},
	} {
		if id, code := find(tt.name, tt.prefix); id != tt.id || code != tt.code {
			t.Errorf("%s, %s: got %s, %s, want %s, %s", tt.name, tt.prefix, id, code, tt.id, tt.code)
		}
	}
	err = s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveImage("sha256:aa2") })
	if _, code := find("x:2", ""); err != nil || code != executor.NotFound {
		t.Errorf("after its removal: %v, %s", err, code)
	}
}

// TestLaterBucket opens a store of a release that did not have images.
func TestLaterBucket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := s.Info().HostID
	s.Close()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte("images")) }); err != nil {
		t.Fatal(err)
	}
	// The header names the commit that wrote it.
	err = db.Update(func(tx *bolt.Tx) error {
		mine := &Tx{bolt: tx}
		head, err := mine.header()
		if err != nil {
			return err
		}
		head.Commit = uint64(tx.ID())
		return mine.putJSON(meta, headerKey, head)
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Info(); got.Damage != nil || got.HostID != want {
		t.Errorf("got %+v, want host id %s and no damage", got, want)
	}
	var images []*Image
	err = s.View(func(tx *Tx) error { images, err = tx.Images(); return err })
	if err != nil || !reflect.DeepEqual(images, []*Image(nil)) {
		t.Errorf("got %v, %v", images, err)
	}
}
