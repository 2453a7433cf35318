package store

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Exec is the record of a further process of an attempt. Its states are those of an attempt,
// except that one which could not be started has no record.
type Exec struct {
	Ref     executor.Ref `json:"ref"`
	Backend string       `json:"backend"`
	// Command is cut if it is long. Spec is the process object of the OCI spec.
	Command []string        `json:"command,omitempty"`
	Spec    json.RawMessage `json:"spec,omitempty"`
	Stdio   Stdio           `json:"stdio,omitzero"`
	// Attended means that it is to end when its client goes away.
	Attended bool `json:"attended,omitempty"`

	State State `json:"state"`
	PID   int   `json:"pid,omitempty"`
	// InputClosed means that its input is to end where it ends now.
	InputClosed bool           `json:"input_closed,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	StartedAt   time.Time      `json:"started_at,omitzero"`
	FinishedAt  time.Time      `json:"finished_at,omitzero"`
	Exit        *executor.Exit `json:"exit,omitempty"`
	// Output is empty until it is released.
	Output executor.Output `json:"output,omitempty"`
}

// CreateExec writes a new exec of the present attempt of a container, unless there is one
// with its id: then it returns that one. An attempt that is over has no new ones.
func (tx *Tx) CreateExec(e *Exec) (existing *Exec, err error) {
	c, err := tx.Container(e.Ref.ID)
	if err != nil {
		return nil, err
	}
	existing, err = tx.Exec(e.Ref)
	if !errors.Is(err, executor.NotFound) {
		return existing, err
	}
	if c.Attempt != e.Ref.Attempt || c.State != Running && c.State != Creating {
		return nil, executor.Errorf(executor.FailedPrecondition, "container %s is not running", c.ID)
	}
	return nil, tx.PutExec(e)
}

// PutExec writes an exec.
func (tx *Tx) PutExec(e *Exec) error {
	e.Command = cutCommand(e.Command)
	if e.Exit != nil {
		e.Exit.Reason = cut(e.Exit.Reason)
	}
	return tx.putJSON(execs, execKey(e.Ref), e)
}

// Exec returns an exec, or NotFound.
func (tx *Tx) Exec(ref executor.Ref) (*Exec, error) {
	e := new(Exec)
	found, err := tx.getJSON(execs, execKey(ref), e)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, executor.Errorf(executor.NotFound, "no exec %q of attempt %d of container %s", ref.Exec, ref.Attempt, ref.ID)
	}
	return e, nil
}

// Execs returns the execs of a container, oldest first.
func (tx *Tx) Execs(id string) (all []*Exec, err error) {
	for k, v := range tx.scanOf(execs, id) {
		e := new(Exec)
		if err := decodeJSON(execs, k, v, e); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *Exec) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return all, nil
}

// RemoveExec removes an exec. It is no error if there is none.
func (tx *Tx) RemoveExec(ref executor.Ref) error { return tx.delete(execs, execKey(ref)) }
