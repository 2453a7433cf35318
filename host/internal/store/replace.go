package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Damage tells why a store could not be used as it was and what came of it.
type Damage struct {
	// Kept is where the old file is.
	Kept string
	// Newer is the schema version of a store that a later program wrote, of which
	// nothing could be taken over. 0 if it was damaged instead.
	Newer int
	// Problems says what was wrong, the first of it at least.
	Problems []string
	// Older says that the commit before the file's last one was taken over, and
	// that the last one is lost. This is what a power failure during a commit
	// leaves; that commit was not acknowledged then.
	Older bool
	// Records counts the records that were taken over.
	Records int
	// EventsLost says that the journal starts anew, above all earlier sequences.
	EventsLost bool
}

// String says it in one line.
func (d *Damage) String() string {
	if d.Newer > 0 {
		return fmt.Sprintf("the store was written by a later version (schema %d, this one knows %d); it is kept at %s", d.Newer, schema, d.Kept)
	}
	return fmt.Sprintf("the store was damaged (%s); %d intact records were taken over; it is kept at %s", strings.Join(d.Problems, "; "), d.Records, d.Kept)
}

// replace puts a new store in place of the one that was inspected, with what can
// be taken over from it. It is built under another name and moved into place
// when it is complete, so that it can be interrupted anywhere.
func (s *Store) replace(in inspection) error {
	building := s.path + ".new"
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
	if err := s.takeOver(in); err != nil {
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
	return syncDir(s.path)
}

// takeOver fills a new store.
func (s *Store) takeOver(in inspection) error {
	keepEvents := s.startHeader(in)
	_, err := s.transact(func(tx *Tx) error {
		tx.dirty = true
		if in.root == nil || in.newer > 0 {
			return nil
		}
		f, err := os.Open(s.path)
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		walk(f, st.Size(), *in.root, func(name string, key, value []byte) {
			b, ok := bucketNamed(name)
			if !ok || err != nil {
				return
			}
			if _, derr := decode(b, key, value); derr == nil {
				err = tx.takeOver(b, key, value, keepEvents)
			}
		})
		return err
	})
	return err
}

// startHeader makes the header of a new store and tells whether the journal goes
// on. Where it does not, it starts above every sequence that can have been given
// out: a million and more for each second that has passed.
func (s *Store) startHeader(in inspection) (keepEvents bool) {
	now := time.Now().UTC()
	s.head = header{Schema: schema, CreatedAt: now, FirstEvent: 1, NextEvent: 1}
	if len(in.problems) == 0 && in.newer == 0 {
		return false
	}
	s.head.Epoch = uint64(now.Unix())
	s.head.NextEvent = uint64(now.Unix()) << 20
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

// takeOver writes an intact record of an old store.
func (tx *Tx) takeOver(b bucket, key, value []byte, keepEvents bool) error {
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
			return nil // intact and yet no container: leave it behind
		}
		// Should two claim the same, the first has it.
		_ = tx.claim(names, "name", c.Name, c.ID)
		_ = tx.claim(requests, "request id", c.RequestID, c.ID)
	}
	return tx.set(b, key, bytes.Clone(value))
}

// keepAside gives a file a second name that says what it is.
func keepAside(path string) (string, error) {
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if err := os.Link(path, aside); err == nil {
		return aside, nil
	}
	return aside, os.Rename(path, aside) // a file system without links
}

// keepAsides is how many files that were kept aside stay.
const keepAsides = 5

// trimAside removes the oldest files that were kept aside. Their names sort by
// time. What cannot be removed now is the next time.
func trimAside(path string) {
	kept, _ := filepath.Glob(path + ".damaged-*")
	slices.Sort(kept)
	for len(kept) > keepAsides {
		_ = os.Remove(kept[0])
		kept = kept[1:]
	}
}

// syncDir makes the names beside a file durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
