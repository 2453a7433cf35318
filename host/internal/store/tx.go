package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/davit-run/davit/shared/executor"
)

// Tx is a transaction: a consistent snapshot. With [Store.Update] it also has the changes
// of its own function, and of those that ran before in the same commit. It is valid while
// the function runs. Two goroutines must not use it at once. Callers may keep what its
// methods return.
type Tx struct {
	bolt *bolt.Tx
	// head is loaded when it is first needed, in an Update at once.
	head   header
	loaded bool
	// keep is how many events are kept.
	keep int

	// undo has what the present function replaced, in order.
	undo     []change
	dirty    bool
	appended bool
	// exits are the ends that were written.
	exits []exited
}

// change is a value before it was written over; nil if there was none.
type change struct {
	bucket bucket
	key    []byte
	old    []byte
}

// header returns the header as of this transaction.
func (tx *Tx) header() (*header, error) {
	if !tx.loaded {
		found, err := tx.getJSON(meta, headerKey, &tx.head)
		if err == nil && !found {
			err = damaged(meta, headerKey, errors.New("it is missing"))
		}
		if err != nil {
			return nil, err
		}
		tx.loaded = true
	}
	return &tx.head, nil
}

// get returns a raw value, or nil. It is valid until the transaction ends.
func (tx *Tx) get(b bucket, key []byte) []byte {
	if len(key) == 0 {
		return nil
	}
	return tx.bolt.Bucket([]byte(b.name())).Get(key)
}

// getJSON decodes a record, and reports whether there is one.
func (tx *Tx) getJSON(b bucket, key []byte, v any) (bool, error) {
	value := tx.get(b, key)
	if value == nil {
		return false, nil
	}
	return true, decodeJSON(b, key, value, v)
}

// putJSON writes a record with a JSON body.
func (tx *Tx) putJSON(b bucket, key []byte, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return executor.Errorf(executor.Invalid, "store: record %s/%s: %w", b.name(), b.printable(key), err)
	}
	return tx.put(b, key, body)
}

// put writes a record.
func (tx *Tx) put(b bucket, key, body []byte) error { return tx.set(b, key, encode(b, key, body)) }

// delete removes a record if it exists.
func (tx *Tx) delete(b bucket, key []byte) error { return tx.set(b, key, nil) }

// set replaces a raw value; nil removes it. All writes use it.
func (tx *Tx) set(b bucket, key, value []byte) error {
	old := tx.get(b, key)
	if old == nil && value == nil || bytes.Equal(old, value) {
		return nil
	}
	tx.undo = append(tx.undo, change{bucket: b, key: bytes.Clone(key), old: bytes.Clone(old)})
	tx.dirty = true
	return tx.apply(b, key, old, value)
}

// apply replaces old by value and keeps the digest.
func (tx *Tx) apply(b bucket, key, old, value []byte) error {
	if b != meta {
		d := &tx.head.Digests[b]
		if old != nil {
			d.remove(old)
		}
		if value != nil {
			d.add(value)
		}
	}
	bb := tx.bolt.Bucket([]byte(b.name()))
	if b == events {
		bb.FillPercent = 1 // only ever appended to
	}
	var err error
	if value == nil {
		err = bb.Delete(key)
	} else {
		err = bb.Put(key, value)
	}
	if err != nil {
		return executor.Errorf(executor.Internal, "store: write %s/%s: %w", b.name(), b.printable(key), err)
	}
	return nil
}

// run calls fn, and undoes what it wrote if it fails or panics.
func (tx *Tx) run(fn func(*Tx) error) error {
	head, appended, exits := tx.head, tx.appended, len(tx.exits)
	tx.undo = tx.undo[:0]
	err := guard(fn, tx)
	if err == nil {
		return nil
	}
	for _, c := range slices.Backward(tx.undo) {
		if uerr := tx.apply(c.bucket, c.key, tx.get(c.bucket, c.key), c.old); uerr != nil {
			panic(fmt.Errorf("undo: %w", uerr)) // spoils the whole commit
		}
	}
	tx.head, tx.appended, tx.exits = head, appended, tx.exits[:exits]
	return err
}

// guard calls fn and returns a panic as an error. A panic may come from damage to the
// mapped file or from a fault in fn.
func guard(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = executor.Errorf(executor.Internal, "store: panic in a transaction: %v", p)
		}
	}()
	return fn(tx)
}

// scan returns the records of a bucket from a key on, in order. Keys and values are valid
// until the transaction ends.
func (tx *Tx) scan(b bucket, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		c := tx.bolt.Bucket([]byte(b.name())).Cursor()
		for k, v := c.Seek(from); k != nil; k, v = c.Next() {
			if !yield(k, v) {
				return
			}
		}
	}
}
