package store

import (
	"fmt"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Event is an entry of the journal. Sequences have no gaps.
type Event struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Type is a dotted name such as "container.exited".
	Type      string            `json:"type"`
	Container string            `json:"container,omitempty"`
	Attempt   int               `json:"attempt,omitempty"`
	Backend   string            `json:"backend,omitempty"`
	Data      map[string]string `json:"data,omitempty"`
}

// GoneError is the error for a cursor at events that are not kept any more, or in a
// journal before this one. Its code is FailedPrecondition. The reader has to read the
// present state and go on after Last.
type GoneError struct {
	// After is the cursor; First to Last are the events that are kept.
	After, First, Last uint64
}

// Error names the cursor and the events that are kept.
func (e *GoneError) Error() string {
	return fmt.Sprintf("events after %d are gone: kept are %d to %d; list the containers and go on from there", e.After, e.First, e.Last)
}

// Unwrap returns the code.
func (e *GoneError) Unwrap() error { return executor.FailedPrecondition }

// Append appends an event to the journal, in the same transaction as the change that it
// reports, and returns its sequence. Append sets Seq, and Time if it is zero.
func (tx *Tx) Append(e Event) (uint64, error) {
	e.Seq = tx.head.NextEvent
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	for key, value := range e.Data {
		e.Data[key] = cut(value)
	}
	if err := tx.putJSON(events, eventKey(e.Seq), e); err != nil {
		return 0, err
	}
	tx.head.NextEvent++
	tx.appended = true
	return e.Seq, tx.trim()
}

// trim removes old events, many at a time, since each removal rewrites a page at the far
// end of the bucket.
func (tx *Tx) trim() error {
	kept := tx.head.NextEvent - tx.head.FirstEvent
	if kept < uint64(tx.keep+tx.keep/8+1) {
		return nil
	}
	for kept > uint64(tx.keep) {
		if err := tx.delete(events, eventKey(tx.head.FirstEvent)); err != nil {
			return err
		}
		tx.head.FirstEvent++
		kept--
	}
	return nil
}

// Cursors returns the cursor before the oldest event that is kept, and the cursor of a
// reader that has seen everything up to this transaction.
func (tx *Tx) Cursors() (oldest, newest uint64, err error) {
	h, err := tx.header()
	if err != nil {
		return 0, 0, err
	}
	return h.FirstEvent - 1, h.NextEvent - 1, nil
}

// Events returns up to limit events after a cursor. A cursor is the sequence of the last
// event that the reader has seen; 0 is before the first event of all. The error for a
// cursor that is no longer valid is a [GoneError].
func (tx *Tx) Events(after uint64, limit int) ([]Event, error) {
	oldest, newest, err := tx.Cursors()
	if err != nil {
		return nil, err
	}
	if after < oldest || after > newest {
		return nil, &GoneError{After: after, First: oldest + 1, Last: newest}
	}
	var list []Event
	for k, v := range tx.scan(events, eventKey(after+1)) {
		if len(list) == limit {
			break
		}
		var e Event
		if err := decodeJSON(events, k, v, &e); err != nil {
			return list, err
		}
		list = append(list, e)
	}
	return list, nil
}
