package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/davit-run/davit/shared/executor"
)

// contentsOf returns all records of a store, one a line.
func contentsOf(t testing.TB, s *Store) map[string]string {
	t.Helper()
	all := make(map[string]string)
	mustView(t, s, func(tx *Tx) error {
		for b := containers; int(b) < bucketCount; b++ {
			for k, v := range tx.scan(b, nil) {
				body, err := decode(b, k, v)
				if err != nil {
					return err
				}
				all[b.name()+"/"+b.printable(k)] = string(body)
			}
		}
		return nil
	})
	return all
}

// pristine makes a store of some size and returns the bytes of its file, what is
// in it, and what was in it before the last commit.
func pristine(t testing.TB) (file []byte, id string, want, before map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	for i := range 60 {
		id := fmt.Sprintf("c%d", i)
		mustUpdate(t, s, create(id))
		if i%3 == 0 {
			mustUpdate(t, s, func(tx *Tx) error {
				_, _, err := tx.PutExit(executor.Ref{ID: id, Attempt: 1}, executor.Exit{Code: new(i), Source: executor.Observed})
				return err
			})
		}
		if i%10 == 9 {
			mustUpdate(t, s, func(tx *Tx) error { return tx.RemoveContainer(id) })
		}
	}
	mustUpdate(t, s, func(tx *Tx) error {
		return tx.CreateContainer(sample("big"), []byte(`"`+strings.Repeat("spec", 5000)+`"`))
	})
	before = contentsOf(t, s)
	mustUpdate(t, s, update("c1"))
	want = contentsOf(t, s)
	id = s.Info().HostID
	mustClose(t, s)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file, id, want, before
}

// plant puts a store file and the host's id into a directory of its own, in
// memory if possible.
func plant(t testing.TB, file []byte, id string) (path string) {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "state.db")
	if err := errors.Join(os.WriteFile(path, file, 0o600), os.WriteFile(path+".id", []byte(id+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkDamaged opens a damaged store, and checks that nothing in it is wrong,
// that what is missing was reported, and that it can be used. It returns the
// report and how many records are left.
func checkDamaged(t testing.TB, what string, file []byte, id string, want, before map[string]string) (d *Damage, kept int) {
	t.Helper()
	path := plant(t, file, id)
	defer os.RemoveAll(filepath.Dir(path))
	s, err := Open(path, Options{})
	if err != nil {
		t.Errorf("%s: Open: %v", what, err)
		return nil, 0
	}
	defer s.Close()
	d = s.Info().Damage
	got := contentsOf(t, s)
	if s.Info().HostID != id {
		t.Errorf("%s: host id is %s, was %s", what, s.Info().HostID, id)
	}
	for key, body := range got {
		if body != want[key] && (d == nil || !d.Older || body != before[key]) {
			t.Errorf("%s: %s is %s, was %s", what, key, body, want[key])
		}
	}
	if d == nil && len(got) != len(want) {
		t.Errorf("%s: %d records of %d, and no report", what, len(got), len(want))
	}
	if d != nil {
		if len(d.Problems) == 0 || len(d.String()) == 0 {
			t.Errorf("%s: the report says nothing: %+v", what, d)
		}
		if kept, err := os.ReadFile(d.Kept); err != nil || !bytes.Equal(kept, file) {
			t.Errorf("%s: the old file is not at %s: %v", what, d.Kept, err)
		}
		if d.EventsLost {
			err := s.View(func(tx *Tx) error { _, err := tx.Events(uint64(len(want)), 1); return err })
			if gone := new(GoneError); !errors.As(err, &gone) {
				t.Errorf("%s: a reader's cursor from before returns %v", what, err)
			}
		}
	}
	if err := s.Update(t.Context(), create("fresh")); err != nil {
		t.Errorf("%s: Update: %v", what, err)
	}
	return d, len(got)
}

func TestFlippedBits(t *testing.T) {
	t.Parallel()
	file, id, want, before := pristine(t)
	used := len(bytes.TrimRight(file, "\x00"))
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	n := 300
	if os.Getenv("DAVIT_MATRIX") == "1" {
		n = 1000
	}
	harmless, older, worst, lost := 0, 0, len(want), 0
	for range n {
		bit := rnd.IntN(8 * used)
		damaged := bytes.Clone(file)
		damaged[bit/8] ^= 1 << (bit % 8)
		d, kept := checkDamaged(t, fmt.Sprintf("seed %d, bit %d of byte %d", seed, bit%8, bit/8), damaged, id, want, before)
		switch {
		case d == nil:
			harmless++
		case d.Older:
			older++
		default:
			worst = min(worst, kept)
			lost += len(want) - kept
		}
	}
	rest := n - harmless - older
	t.Logf("%d flips in %d bytes: %d in unused bytes, %d fell back by a commit, %d lost %.1f of %d records on average and %d at most",
		n, used, harmless, older, rest, float64(lost)/float64(max(1, rest)), len(want), len(want)-worst)
}

func TestDamagedFiles(t *testing.T) {
	file, id, want, before := pristine(t)
	file = bytes.TrimRight(file, "\x00")
	zeros := func(from, to int) []byte {
		damaged := bytes.Clone(file)
		clear(damaged[from:to])
		return damaged
	}
	for name, damaged := range map[string][]byte{
		"empty":           {},
		"one byte":        file[:1],
		"no second meta":  file[:4096],
		"metas alone":     file[:8192],
		"zeroed":          make([]byte, len(file)),
		"metas zeroed":    zeros(0, 8192),
		"newest zeroed":   zeros(0, 4096),
		"not a store":     []byte(strings.Repeat("#!/bin/sh\n", 3000)),
		"second half cut": file[:len(file)/2],
		"middle zeroed":   zeros(len(file)/4, len(file)/2),
	} {
		if d, _ := checkDamaged(t, name, damaged, id, want, before); d == nil {
			t.Errorf("%s: no damage was reported", name)
		}
	}
	for range 100 {
		n := rand.IntN(len(file))
		if d, _ := checkDamaged(t, fmt.Sprintf("cut to %d", n), file[:n], id, want, before); d == nil {
			t.Errorf("cut to %d of %d: no damage was reported", n, len(file))
		}
		from := rand.IntN(len(file))
		checkDamaged(t, "garbage", append(bytes.Clone(file[:from]), bytes.Repeat([]byte{0xA5, 0xFF, 0x01}, 5000)...), id, want, before)
	}
}

func TestHostIDOutlivesTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	id := s.Info().HostID
	mustClose(t, s)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{})
	if got := s.Info().HostID; got != id {
		t.Errorf("host id after the store was removed is %s, was %s", got, id)
	}
	mustClose(t, s)
	if err := os.Remove(path + ".id"); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path, Options{})
	if b, _ := os.ReadFile(path + ".id"); strings.TrimSpace(string(b)) != id || s.Info().HostID != id {
		t.Errorf("host id after its file was removed is %s in the file, %s in the store, was %s", b, s.Info().HostID, id)
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path, Options{})
	id := s.Info().HostID
	mustUpdate(t, s, create("one"))
	mustClose(t, s)

	// What a later version may have done: another header, a bucket we do not know.
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		body := []byte(`{"layout":"new"}`)
		value := binary.BigEndian.AppendUint32([]byte{schema + 1}, checksum(meta, headerKey, schema+1, body))
		_, err := tx.CreateBucket([]byte("another"))
		return errors.Join(err, tx.Bucket([]byte("meta")).Put(headerKey, append(value, body...)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	s = openAt(t, path, Options{})
	d := s.Info().Damage
	if d == nil || d.Newer != schema+1 || d.Records != 0 || !d.EventsLost || s.Info().HostID != id {
		t.Fatalf("report is %+v, host id %s", d, s.Info().HostID)
	}
	if kept, err := os.ReadFile(d.Kept); err != nil || !bytes.Equal(kept, file) {
		t.Errorf("the newer store is not at %s: %v", d.Kept, err)
	}
	if got := contentsOf(t, s); len(got) != 0 {
		t.Errorf("the new store holds %v", got)
	}
}

// A file that is cut or changed while it is open must cost errors at most.
func TestDamageWhileOpen(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"cut": func(path string) error { return os.Truncate(path, 4096) },
		"overwritten": func(path string) error {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt(bytes.Repeat([]byte{0xFF}, 200<<10), 8192)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			file, id, _, _ := pristine(t)
			path := plant(t, file, id)
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			for i := range 60 {
				if err := s.View(func(tx *Tx) error { _, err := tx.Container(fmt.Sprintf("c%d", i)); return err }); err == nil {
					t.Errorf("c%d was read", i)
				}
			}
			for range 3 {
				if err := s.Update(t.Context(), create("new")); err == nil {
					t.Error("Update went through")
				}
			}
			_ = s.Close() // need not succeed, must return
		})
	}
}

func TestFewDamagedFilesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var last string
	for range keepAsides + 3 {
		if err := os.WriteFile(path, []byte("not a store"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := openAt(t, path, Options{})
		last = s.Info().Damage.Kept
		mustClose(t, s)
	}
	kept, err := filepath.Glob(path + ".damaged-*")
	if err != nil || len(kept) != keepAsides || kept[len(kept)-1] != last {
		t.Errorf("got %q, %v, want %d, the newest %s", kept, err, keepAsides, last)
	}
}
