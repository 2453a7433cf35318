package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
	bolt "go.etcd.io/bbolt"
)

// Damage says why a store could not be used as it was, and what was done about it.
type Damage struct {
	// Kept is where the old file is.
	Kept string
	// Newer is the schema version of a store that a later program wrote, from which no
	// record could be copied. It is 0 if the store was damaged instead.
	Newer int
	// Problems lists what was wrong, at least the first problems.
	Problems []string
	// Older means that the records are those of the commit before the file's last one,
	// and that the last one is missing. A power failure during a commit leaves this; the
	// commit was not acknowledged then.
	Older bool
	// Records counts the records that were copied.
	Records int
	// EventsLost means that the journal starts anew, above all earlier sequences.
	EventsLost bool
}

// String describes the damage in one line.
func (d *Damage) String() string {
	if d.Newer > 0 {
		return fmt.Sprintf("the store was written by a later version (schema %d, this one knows %d); it is kept at %s", d.Newer, schema, d.Kept)
	}
	return fmt.Sprintf("the store was damaged (%s); %d intact records were taken over; it is kept at %s", strings.Join(d.Problems, "; "), d.Records, d.Kept)
}

// building is added to the name of a store that is being built.
const building = ".new"

// replace puts a new store in place of the one that was inspected, and copies what is
// intact. It builds the new store under another name and moves it into place when it is
// complete, so that it can be interrupted anywhere.
func (s *Store) replace(in inspection) error {
	building := s.path + building
	if err := os.RemoveAll(building); err != nil {
		return err
	}
	if err := s.openBolt(building); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		for b := meta; int(b) < bucketCount; b++ {
			if _, err := tx.CreateBucket([]byte(b.name())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.copyFrom(in); err != nil {
		return err
	}
	if in.newer > 0 || len(in.problems) > 0 {
		s.info.Damage = &Damage{
			Newer: in.newer, Problems: in.problems, Older: in.older, Records: s.head.records(),
			EventsLost: s.head.NextEvent == s.head.FirstEvent,
		}
		if s.info.Damage.Kept, err = keepAside(s.path); err != nil {
			return err
		}
	}
	if err := os.Rename(building, s.path); err != nil {
		return err
	}
	trimAside(s.path)
	return linux.SyncDir(filepath.Dir(s.path))
}

// copyFrom copies to a new store what is intact in the one that was inspected.
func (s *Store) copyFrom(in inspection) error {
	keepEvents := s.startHeader(in)
	_, err := s.transact(func(tx *Tx) error {
		tx.dirty = true
		if in.commit == nil || in.newer > 0 {
			return nil
		}
		f, err := linux.Open(s.path, os.O_RDONLY)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		in.commit.Walk(f, st.Size(), func(name string, key, value []byte) {
			b, ok := bucketNamed(name)
			if !ok || err != nil {
				return
			}
			if _, derr := decode(b, key, value); derr == nil {
				err = tx.copyRecord(b, key, value, keepEvents)
			}
		})
		return err
	})
	return err
}

// startHeader makes the header of a new store and reports whether the journal goes on.
// If it does not, its sequences start above every one that can have been used.
func (s *Store) startHeader(in inspection) (keepEvents bool) {
	now := time.Now().UTC()
	s.head = header{Schema: schema, CreatedAt: now, FirstEvent: 1, NextEvent: 1}
	if in.compact {
		s.head = *in.header
		s.head.Digests = [bucketCount]digest{}
		return true
	}
	if len(in.problems) == 0 && in.newer == 0 {
		return false
	}
	s.head.Epoch = uint64(now.Unix())
	s.head.NextEvent = above(now)
	if h := in.header; h != nil {
		s.head.HostID, s.head.Epoch, s.head.BootID, s.head.CreatedAt = h.HostID, h.Epoch, h.BootID, h.CreatedAt
		s.head.NextEvent = max(s.head.NextEvent, h.NextEvent+1)
		if !in.older && in.digests[events] == h.Digests[events] {
			s.head.FirstEvent, s.head.NextEvent = h.FirstEvent, h.NextEvent
			return true
		}
	}
	s.head.FirstEvent = s.head.NextEvent
	return false
}

// copyRecord writes an intact record of an old store to the new one.
func (tx *Tx) copyRecord(b bucket, key, value []byte, keepEvents bool) error {
	switch b {
	case meta, names, requests: // made anew
		return nil
	case events:
		if !keepEvents {
			return nil
		}
	case containers:
		c := new(Container)
		if err := decodeJSON(b, key, value, c); err != nil {
			return nil // intact and yet no container: leave it out
		}
		// Should two claim the same, the first has it.
		_ = tx.claim(names, "name", c.Name, c.ID)
		_ = tx.claim(requests, "request id", c.RequestID, c.ID)
	}
	return tx.set(b, key, bytes.Clone(value))
}

// keepAside links a file under a second name, which says that it was damaged.
func keepAside(path string) (string, error) {
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Link(path, aside); err == nil {
		return aside, nil
	}
	return aside, os.Rename(path, aside) // a file system without links
}

// keepAsides is the number of damaged files that are kept.
const keepAsides = 5

// trimAside removes the oldest damaged files. Their names sort by time. A file that
// cannot be removed is tried again the next time.
func trimAside(path string) {
	kept, _ := filepath.Glob(path + ".damaged-*")
	slices.Sort(kept)
	for len(kept) > keepAsides {
		_ = os.Remove(kept[0])
		kept = kept[1:]
	}
}
