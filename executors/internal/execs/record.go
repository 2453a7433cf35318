package execs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// record is what is on disk of a process.
type record struct {
	Ref   executor.Ref   `json:"ref"`
	Boot  string         `json:"boot"`
	Stdio executor.Stdio `json:"stdio"`
	// Asked is when its start was asked for, and zero before. Started says that the shim
	// has started it.
	Asked   time.Time `json:"asked,omitzero"`
	Started bool      `json:"started,omitempty"`
	PID     int       `json:"pid,omitempty"`
	// Exit is set when it has ended, and Output when it is released.
	Exit   *executor.Exit  `json:"exit,omitempty"`
	Output executor.Output `json:"output,omitempty"`
	// Deleted says that its shim has forgotten it.
	Deleted bool `json:"deleted,omitempty"`
}

// store is the directory of the records: ID/EXEC.json. It is written without sync, since
// it has to outlive processes and not the machine.
type store struct{ dir string }

const suffix = ".json"

func (s store) path(ref executor.Ref) string { return filepath.Join(s.dir, ref.ID, ref.Exec+suffix) }

// maxFile bounds a record, in bytes. The longest thing in it is a path.
const maxFile = 1 << 20

// get reads a record. ok is false if there is none.
func (s store) get(ref executor.Ref) (r record, ok bool, err error) {
	path := s.path(ref)
	text, err := linux.ReadFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return r, false, fmt.Errorf("%s: %w", path, err)
	}
	return r, true, nil
}

// put writes a record.
func (s store) put(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	err = linux.WriteWhole(s.path(r.Ref), text)
	if errors.Is(err, fs.ErrNotExist) { // it is the first of its container
		if err = os.MkdirAll(filepath.Dir(s.path(r.Ref)), 0o700); err == nil {
			err = linux.WriteWhole(s.path(r.Ref), text)
		}
	}
	return err
}

// remove removes a record. It is no error if there is none.
func (s store) remove(ref executor.Ref) error {
	if err := os.Remove(s.path(ref)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Remove(filepath.Join(s.dir, ref.ID)) // fails unless it was the last
	return nil
}

// refs lists the records, without their attempts.
func (s store) refs() (refs []executor.Ref, err error) {
	ids, err := readDir(s.dir)
	for _, id := range ids {
		names, nerr := readDir(filepath.Join(s.dir, id))
		err = errors.Join(err, nerr)
		for _, name := range names {
			exec, ok := strings.CutSuffix(name, suffix)
			ref := executor.Ref{ID: id, Attempt: 1, Exec: exec}
			if ok && exec != "" && ref.Validate() == nil {
				refs = append(refs, ref)
			}
		}
	}
	return refs, err
}

// readDir returns the names in a directory, which may not exist.
func readDir(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
