package store

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestLeases gives each address to one container at a time, in the transactions of its record.
func TestLeases(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "davit.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a2, a3 := netip.MustParseAddr("10.1.0.2"), netip.MustParseAddr("10.1.0.3")
	update := func(fn func(tx *Tx) error) error { return s.Update(t.Context(), fn) }
	create := func(id string, leases ...Lease) error {
		return update(func(tx *Tx) error {
			return tx.CreateContainer(&Container{ID: id, Leases: leases, CreatedAt: time.Now()}, []byte("{}"))
		})
	}
	check := func(want map[netip.Addr]string) {
		t.Helper()
		err := s.View(func(tx *Tx) error {
			got, err := tx.Leases("web")
			if len(got) != len(want) {
				t.Errorf("got %v, want %v", got, want)
			}
			for a, id := range want {
				if got[a] != id {
					t.Errorf("%s: got %q, want %q", a, got[a], id)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(create("c1", Lease{Network: "web", Address: a2}), create("c2", Lease{Network: "web", Address: a3}, Lease{Network: "web2", Address: a2})); err != nil {
		t.Fatal(err)
	}
	check(map[netip.Addr]string{a2: "c1", a3: "c2"})
	if err := create("c3", Lease{Network: "web", Address: a2}); !errors.Is(err, executor.AlreadyExists) {
		t.Errorf("an address that is taken: got %v", err)
	}
	check(map[netip.Addr]string{a2: "c1", a3: "c2"})
	change := func(id string, leases ...Lease) error {
		return update(func(tx *Tx) error {
			c, err := tx.Container(id)
			if err != nil {
				return err
			}
			c.Leases = leases
			return tx.PutContainer(c)
		})
	}
	if err := change("c1", Lease{Network: "web", Address: a3}); !errors.Is(err, executor.AlreadyExists) {
		t.Errorf("a change to an address that is taken: got %v", err)
	}
	check(map[netip.Addr]string{a2: "c1", a3: "c2"})
	six := netip.MustParseAddr("fd77::2")
	if err := change("c1", Lease{Network: "web", Address: a2, Address6: six}); err != nil {
		t.Fatal(err)
	}
	check(map[netip.Addr]string{a2: "c1", six: "c1", a3: "c2"})
	if err := change("c2", Lease{Network: "web", Address: a3, Address6: six}); !errors.Is(err, executor.AlreadyExists) {
		t.Errorf("a change to an address of IPv6 that is taken: got %v", err)
	}
	check(map[netip.Addr]string{a2: "c1", six: "c1", a3: "c2"})
	if err := change("c1", Lease{Network: "web", Address: a2}); err != nil {
		t.Fatal(err)
	}
	check(map[netip.Addr]string{a2: "c1", a3: "c2"})
	if err := change("c1", Lease{Network: "web", Address: a2, Address6: six}); err != nil {
		t.Fatal(err)
	}
	if err := change("c1"); err != nil {
		t.Fatal(err)
	}
	check(map[netip.Addr]string{a3: "c2"})
	if err := update(func(tx *Tx) error { return tx.RemoveContainer("c2") }); err != nil {
		t.Fatal(err)
	}
	check(nil)
	if err := create("c3", Lease{Network: "web2", Address: a2}); err != nil {
		t.Errorf("an address that is free again: got %v", err)
	}
}
