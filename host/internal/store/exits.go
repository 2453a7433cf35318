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
	// RecordedAt is when the host learned of it.
	RecordedAt time.Time `json:"recorded_at"`
	// Output is empty until the attempt is released.
	Output executor.Output `json:"output,omitempty"`
}

// PutExit records the end of an attempt and gives the record that is kept: the
// first one, whatever comes later. First tells whether this was it. NotFound
// says that the attempt is not known here.
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
	kept = &Exit{Exit: exit, Ref: ref, RecordedAt: time.Now().UTC()}
	return kept, true, tx.putJSON(exits, exitKey(ref), kept)
}

// PutOutput records whether the output of an attempt that ended is complete.
// The first answer stays; first tells whether this was it.
func (tx *Tx) PutOutput(ref executor.Ref, output executor.Output) (first bool, err error) {
	exit, err := tx.Exit(ref)
	if err != nil || exit.Output != "" {
		return false, err
	}
	exit.Output = output
	return true, tx.putJSON(exits, exitKey(ref), exit)
}

// Exit gives the end of an attempt, or NotFound.
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

// Exits gives the ends of a container's attempts, oldest first.
func (tx *Tx) Exits(id string) ([]*Exit, error) {
	var all []*Exit
	for k, v := range tx.exitKeys(id) {
		exit := new(Exit)
		if err := decodeJSON(exits, k, v, exit); err != nil {
			return nil, err
		}
		all = append(all, exit)
	}
	return all, nil
}

func (tx *Tx) exitKeys(id string) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for k, v := range tx.scan(exits, []byte(id+"/")) {
			if !strings.HasPrefix(string(k), id+"/") || !yield(k, v) {
				return
			}
		}
	}
}
