package store

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/davit-run/davit/shared/executor"
)

// TestFileOfEarlierProgram opens a file that an earlier program has made.
func TestFileOfEarlierProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	mustUpdate(t, s, create("a"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{"execs", "volumes"} {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		// An earlier program has the number of its commit in the header, too.
		meta := tx.Bucket([]byte("meta"))
		h := new(header)
		if err := decodeJSON(-1, headerKey, meta.Get(headerKey), h); err != nil {
			return err
		}
		h.Commit = uint64(tx.ID())
		own := &Tx{bolt: tx}
		return own.putJSON(-1, headerKey, h)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{})
	if d := s.Info().Damage; d != nil {
		t.Errorf("it was taken for damaged: %v", d)
	}
	ref := executor.Ref{ID: "a", Attempt: 1, Exec: "e"}
	mustUpdate(t, s, func(tx *Tx) error {
		c, err := tx.Container("a")
		if err != nil {
			return err
		}
		c.State = Running
		return tx.PutContainer(c)
	})
	mustUpdate(t, s, func(tx *Tx) error { return tx.PutVolume(&Volume{Name: "data", CreatedAt: time.Now()}) })
	mustView(t, s, func(tx *Tx) error {
		if _, err := tx.Volume("other"); !errors.Is(err, executor.NotFound) {
			t.Errorf("a volume that there is not: %v", err)
		}
		v, err := tx.Volume("data")
		if err == nil && v.Name != "data" {
			t.Errorf("got %+v", v)
		}
		return err
	})
	made := &Exec{Ref: ref, State: Creating, CreatedAt: time.Now()}
	mustUpdate(t, s, func(tx *Tx) error {
		existing, err := tx.CreateExec(made)
		if existing != nil {
			t.Errorf("there was %+v", existing)
		}
		return err
	})
	mustUpdate(t, s, func(tx *Tx) error {
		if existing, err := tx.CreateExec(made); err != nil || existing == nil {
			t.Errorf("made again: got %+v, %v", existing, err)
		}
		return tx.RemoveContainer("a")
	})
	mustView(t, s, func(tx *Tx) error {
		if _, err := tx.Exec(ref); !errors.Is(err, executor.NotFound) {
			t.Errorf("it outlived its container: %v", err)
		}
		return nil
	})
}
