package store

import (
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestJoin keeps the addresses of a network namespace for as long as a container has it, in
// whichever order they are removed.
func TestJoin(t *testing.T) {
	lease := Lease{Network: "web", Address: netip.MustParseAddr("10.1.0.2")}
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "a", "c"}, {"c", "a", "b"}} {
		s, err := Open(filepath.Join(t.TempDir(), "davit.db"), Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Update(t.Context(), func(tx *Tx) error {
			return errors.Join(
				tx.CreateContainer(&Container{ID: "a", Leases: []Lease{lease}, CreatedAt: time.Now()}, []byte("{}")),
				tx.CreateContainer(&Container{ID: "b", Joined: "a", CreatedAt: time.Now()}, []byte("{}")),
				tx.CreateContainer(&Container{ID: "c", Joined: "a", CreatedAt: time.Now()}, []byte("{}")),
				tx.CreateContainer(&Container{ID: "a2", CreatedAt: time.Now()}, []byte("{}")))
		})
		if err != nil {
			t.Fatal(err)
		}
		left := []string{"a", "b", "c"}
		check := func() {
			t.Helper()
			err := s.View(func(tx *Tx) error {
				ids, err := tx.Sharers("a")
				if !slices.Equal(ids, left) {
					t.Errorf("%v: got %v, want %v", order, ids, left)
				}
				owner, oerr := tx.LeaseOwner(lease)
				holder, herr := tx.LeaseHolder("a")
				switch {
				case len(left) == 0 && (owner != "" || !errors.Is(herr, executor.NotFound)):
					t.Errorf("%v: nobody is left, and %q has the address, %v", order, owner, herr)
				case len(left) > 0 && (herr != nil || holder.ID != owner || !slices.Contains(left, owner)):
					t.Errorf("%v: %v are left, and %q has the address, %v", order, left, owner, herr)
				}
				return errors.Join(err, oerr)
			})
			if err != nil {
				t.Error(err)
			}
		}
		check()
		for _, id := range order {
			if err := s.Update(t.Context(), func(tx *Tx) error { return tx.RemoveContainer(id) }); err != nil {
				t.Fatal(err)
			}
			left = slices.DeleteFunc(left, func(s string) bool { return s == id })
			check()
		}
		_ = s.View(func(tx *Tx) error {
			for k := range tx.scan(joins, nil) {
				t.Errorf("there is left %q", k)
			}
			return nil
		})
		_ = s.Close()
	}
}
