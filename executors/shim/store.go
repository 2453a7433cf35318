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
	"github.com/davit-run/davit/shared/failpoint"
)

// record says what an attempt is. It never changes.
type record struct {
	Ref     executor.Ref `json:"ref"`
	Runtime string       `json:"runtime,omitempty"`
	// Shim is the shim's program, and empty for the executor's own.
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
	recordFile  = "record.json"
	contactFile = "shim.json" // not of our own shims, whose sockets have known names
	markFile    = "started.json"
	exitFile    = "exit.json"
	outputFile  = "output.json"
)

// store is the directory of a backend's containers. It is written without sync:
// it has to outlive processes and not the machine. After a reboot nothing is left
// that it could speak of but an exit, which the host has on its disk before
// anything is deleted.
type store struct {
	dir   string
	owner oci.Owner
}

func (s store) open() error { return os.MkdirAll(s.dir, 0o700) }

// path gives the directory of a container.
func (s store) path(id string) string { return filepath.Join(s.dir, id) }

// bundle gives the directory that shim and OCI runtime work in. Shims require
// that it is named as the container.
func (s store) bundle(id string) string { return filepath.Join(s.dir, id, s.owner.ContainerID(id)) }

// Directories in the making, and on their way out.
const (
	newPrefix = ".new-"
	oldPrefix = ".old-"
)

// add makes a container's directory with its record and bundle, and a log for
// the shim if it wants one. The error is fs.ErrExist if there is one already.
func (s store) add(r record, spec json.RawMessage, log bool) error {
	id := r.Ref.ID
	draft := filepath.Join(s.dir, newPrefix+id)
	bundle := filepath.Join(draft, s.owner.ContainerID(id))
	if err := os.RemoveAll(draft); err != nil {
		return err
	}
	err := os.MkdirAll(bundle, 0o711)
	if err == nil {
		err = os.WriteFile(filepath.Join(bundle, "config.json"), spec, 0o600)
	}
	if err == nil && log {
		// A shim opens its log without making it.
		err = os.WriteFile(filepath.Join(bundle, "log"), nil, 0o600)
	}
	if err == nil {
		err = writeJSON(filepath.Join(draft, recordFile), r)
	}
	_ = failpoint.Hit("shim.add.drafted")
	if err == nil {
		err = os.Rename(draft, s.path(id))
	}
	if err != nil {
		_ = os.RemoveAll(draft)
	}
	return err
}

// remove removes a container's directory, so that no part of it is left under its
// name.
func (s store) remove(id string) error {
	old := filepath.Join(s.dir, oldPrefix+id)
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(s.path(id), old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = failpoint.Hit("shim.remove.renamed")
	return os.RemoveAll(old)
}

// removeBundle removes what is needed only as long as there is a shim.
func (s store) removeBundle(id string) error { return os.RemoveAll(s.bundle(id)) }

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

// get reads one file of a container. The error is fs.ErrNotExist if there is none.
func get[T any](s store, id, file string) (v T, err error) {
	path := filepath.Join(s.path(id), file)
	b, err := os.ReadFile(path)
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

// writeJSON writes a file that is whole at any time.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	tmp := path + "~"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
