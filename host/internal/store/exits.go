package store

import (
	"iter"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Exit is the end of one attempt.
type Exit struct {
	executor.Exit
	Ref executor.Ref `json:"ref"`
	// RecordedAt is when the host recorded it.
	RecordedAt time.Time `json:"recorded_at"`
	// Output is empty until the attempt is released.
	Output executor.Output `json:"output,omitempty"`
}

// PutExit records the end of an attempt. The first record is kept, whatever comes later;
// PutExit returns it, and first reports whether it is this one. The error is NotFound if
// the attempt is not known. The exits of the last hundred attempts are kept.
func (tx *Tx) PutExit(ref executor.Ref, exit executor.Exit) (kept *Exit, first bool, err error) {
	c, err := tx.Container(ref.ID)
	if err != nil {
		return nil, false, err
	}
	if ref.Attempt < 1 || ref.Attempt > c.Attempt {
		return nil, false, executor.Errorf(executor.NotFound, "container %s has no attempt %d", ref.ID, ref.Attempt)
	}
	kept = new(Exit)
	found, err := tx.getJSON(exits, exitKey(ref), kept)
	if err != nil {
		return nil, false, err
	}
	if found {
		return kept, false, nil
	}
	exit.Reason = cut(exit.Reason)
	kept = &Exit{Exit: exit, Ref: ref, RecordedAt: time.Now().UTC()}
	if err := tx.putJSON(exits, exitKey(ref), kept); err != nil {
		return nil, false, err
	}
	tx.exits = append(tx.exits, exited{c.Backend, exit.Source})
	return kept, true, tx.trimExits(executor.Ref{ID: c.ID, Attempt: c.Attempt})
}

// PutOutput records whether the output of an attempt that ended is complete. The first
// answer is kept; first reports whether it is this one.
func (tx *Tx) PutOutput(ref executor.Ref, output executor.Output) (first bool, err error) {
	exit, err := tx.Exit(ref)
	if err != nil || exit.Output != "" {
		return false, err
	}
	exit.Output = output
	return true, tx.putJSON(exits, exitKey(ref), exit)
}

// Exit returns the end of an attempt, or NotFound.
func (tx *Tx) Exit(ref executor.Ref) (*Exit, error) {
	exit := new(Exit)
	found, err := tx.getJSON(exits, exitKey(ref), exit)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, executor.Errorf(executor.NotFound, "no exit of %s is recorded", ref)
	}
	return exit, nil
}

// scanOf returns the records of a container in a bucket whose keys begin with its id.
func (tx *Tx) scanOf(b bucket, id string) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range tx.scan(b, []byte(id+"/")) {
			if !strings.HasPrefix(string(k), id+"/") || !yield(k, v) {
				return
			}
		}
	}
}

// keysOf returns the keys of those records, which may then be deleted.
func (tx *Tx) keysOf(b bucket, id string) (keys [][]byte) {
	for k := range tx.scanOf(b, id) {
		keys = append(keys, k)
	}
	return keys
}
