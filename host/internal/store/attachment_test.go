package store

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestAttachments has a container get its address later than its lease. What plugins have made
// for it goes to another container of its network namespace.
func TestAttachments(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "davit.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	address := netip.MustParseAddr("10.7.0.2")
	lease := Lease{Network: "lan", Driver: "cni"}
	update := func(fn func(tx *Tx) error) error { return s.Update(t.Context(), fn) }
	err = update(func(tx *Tx) error {
		var errs []error
		for _, c := range []*Container{{ID: "a", Leases: []Lease{lease}}, {ID: "b", Leases: []Lease{lease}}, {ID: "c", Joined: "a"}} {
			c.CreatedAt = time.Now()
			errs = append(errs, tx.CreateContainer(c, []byte("{}")))
		}
		return errors.Join(errs...)
	})
	if err != nil {
		t.Fatal(err)
	}
	get := func(id string) error {
		return update(func(tx *Tx) error {
			c, err := tx.Container(id)
			if err != nil {
				return err
			}
			c.Leases[0].Address = address
			c.Attachments = []Attachment{{Network: "lan", Config: []byte("{ }"), Made: true, Addresses: []netip.Prefix{netip.PrefixFrom(address, 24)}}}
			return tx.PutContainer(c)
		})
	}
	if err := get("a"); err != nil {
		t.Error(err)
	}
	if err := get("b"); !errors.Is(err, executor.AlreadyExists) {
		t.Errorf("the address of another: got %v", err)
	}
	if err := update(func(tx *Tx) error { return tx.RemoveContainer("a") }); err != nil {
		t.Fatal(err)
	}
	err = s.View(func(tx *Tx) error {
		c, err := tx.LeaseHolder("a")
		if err != nil {
			return err
		}
		if a := c.Attachment(0); c.ID != "c" || a == nil || string(a.Config) != "{ }" || a.Addresses[0].Addr() != address || c.Attachment(1) != nil {
			t.Errorf("after the removal, %s has %+v", c.ID, c.Attachments)
		}
		owners, err := tx.Leases("lan")
		if len(owners) != 1 || owners[address] != "c" {
			t.Errorf("the addresses are %v", owners)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
