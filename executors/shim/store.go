package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

// record says what an attempt is. It never changes.
type record struct {
	Ref executor.Ref `json:"ref"`
	// CID is the id for the shim and the OCI runtime. It outlives the host's id, of
	// which it is made, if that is lost with the host's state.
	CID     string `json:"cid"`
	Runtime string `json:"runtime,omitempty"`
	// Shim is the shim's program, and empty for davit's own.
	Shim      string       `json:"shim,omitempty"`
	Namespace string       `json:"namespace"`
	Boot      string       `json:"boot"`
	CreatedAt time.Time    `json:"created_at"`
	Drain     oci.DrainCap `json:"drain"`
	// OCI is the OCI runtime's program, and Root where it keeps its state. Both
	// are empty where only the shim knows.
	OCI    string         `json:"oci,omitempty"`
	Root   string         `json:"root,omitempty"`
	Errors oci.InitErrors `json:"errors,omitzero"`
}

// mark says that and when a start was asked for, and what the cgroup had seen by
// then.
type mark struct {
	StartedAt time.Time     `json:"started_at"`
	OOM       oci.OOMSource `json:"oom"`
}

// Files in a container's directory.
const (
	recordFile   = "record.json"
	contactFile  = "shim.json" // not of davit's own shim, whose socket has a known name
	remainsFile  = "remains.json"
	markFile     = "started.json"
	answeredFile = "answered.json"
	exitFile     = "exit.json"
	outputFile   = "output.json"
)

// store is the directory of a backend's containers. It is written without sync: it
// has to outlive processes and not the machine. After a reboot nothing is left that
// it could describe but an exit, which the host has on its disk before anything is
// removed.
type store struct{ dir string }

func (s store) open() error { return os.MkdirAll(s.dir, 0o700) }

// path returns the directory of a container.
func (s store) path(id string) string { return filepath.Join(s.dir, id) }

// bundle returns the directory that shim and OCI runtime work in. Shims require that
// it has the container's name.
func (s store) bundle(r record) string { return filepath.Join(s.dir, r.Ref.ID, r.CID) }

// Prefixes of directories that are being made, and removed.
const (
	newPrefix = ".new-"
	oldPrefix = ".old-"
)

// add makes a container's directory with its record and bundle. The error is
// fs.ErrExist if there is one already.
func (s store) add(r record, spec json.RawMessage) error {
	id := r.Ref.ID
	draft := filepath.Join(s.dir, newPrefix+id)
	bundle := filepath.Join(draft, r.CID)
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	err := os.MkdirAll(bundle, 0o711)
	if err == nil {
		err = os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o600)
	}
	if err == nil && !r.ownShim() {
		// The shims of others open their log without creating it.
		err = os.WriteFile(filepath.Join(bundle, "log"), nil, 0o600)
	}
	if err == nil {
		err = writeJSON(filepath.Join(draft, recordFile), r)
	}
	for _, file := range []string{exitFile, outputFile} { // a full disk must not keep it from its end
		if err == nil {
			err = linux.Reserve(filepath.Join(draft, file))
		}
	}
	if err == nil {
		err = os.Rename(draft, s.path(id))
	}
	if err != nil {
		_ = os.RemoveAll(draft)
	}
	return err
}

// remove removes a container's directory: from its name at once, and then from disk.
func (s store) remove(id string) error {
	old := filepath.Join(s.dir, oldPrefix+id)
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(s.path(id), old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(old)
}

// inUse reports whether a process works in the bundle of a container whose record
// cannot be read.
func (s store) inUse(id string) bool {
	entries, err := os.ReadDir(s.path(id))
	for _, e := range entries {
		if e.IsDir() && len(processesWithin(filepath.Join(s.path(id), e.Name()))) > 0 {
			return true
		}
	}
	return err != nil
}

// removeBundle removes what is needed only as long as there is a shim.
func (s store) removeBundle(r record) error { return os.RemoveAll(s.bundle(r)) }

// ids lists the containers, and the names of other entries.
func (s store) ids() (ids, others []string, err error) {
	entries, err := os.ReadDir(s.dir)
	for _, e := range entries {
		if executor.ValidateID(e.Name()) == nil {
			ids = append(ids, e.Name())
		} else if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			others = append(others, e.Name())
		}
	}
	return ids, others, err
}

// maxFile bounds a file of a container, in bytes. The largest one, a record, has a spec.
const maxFile = 4 * executor.MaxSpecSize

// get reads one file of a container. The error is fs.ErrNotExist if there is none.
func get[T any](s store, id, file string) (v T, err error) {
	path := filepath.Join(s.path(id), file)
	b, err := linux.ReadFile(path, maxFile)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// put writes one file of a container.
func (s store) put(id, file string, v any) error {
	return writeJSON(filepath.Join(s.path(id), file), v)
}

// drop removes one file of a container. It is no error if the file does not exist.
func (s store) drop(id, file string) error {
	err := os.Remove(filepath.Join(s.path(id), file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// writeJSON writes a file, which is whole at any time.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return linux.WriteWhole(path, b)
}
