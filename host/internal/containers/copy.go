package containers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// Files beside the output of a container, from which its record is made again if the state
// is lost. The copy has what is wanted of a container, and not how its attempt fares: that
// its backend knows.
const (
	copyFile = "record.json"
	specFile = "spec.json"
)

// recordCopy is the content of a copyFile.
type recordCopy struct {
	// Host is the id of the host.
	Host   string          `json:"host"`
	Record store.Container `json:"record"`
}

// keepCopy writes the copy of a container's record. Without it the container is as good,
// until the state is lost.
func (m *Manager) keepCopy(id string) {
	unlock, err := m.copies.Lock(context.WithoutCancel(m.ctx), id)
	if err != nil {
		return
	}
	defer unlock()
	c, err := m.record(id)
	if err != nil || !m.outputs.Has(id) {
		return // it is being removed
	}
	text, err := json.Marshal(recordCopy{Host: m.store.Info().HostID, Record: *c})
	if err == nil {
		err = m.outputs.WriteNote(id, copyFile, text)
	}
	if err != nil {
		m.logger.Warn("the copy of a container's record is not written", "container", id, "error", err)
	}
}

// keepSpec writes the copy of a container's spec.
func (m *Manager) keepSpec(id string, spec json.RawMessage) {
	if err := m.outputs.WriteNote(id, specFile, spec); err != nil {
		m.logger.Warn("the copy of a container's spec is not written", "container", id, "error", err)
	}
}

// readCopy reads the copy of a container's record, and of its spec, or [unknownSpec]. The
// error is fs.ErrNotExist if there is no copy.
func (m *Manager) readCopy(id string) (*store.Container, json.RawMessage, error) {
	text, err := m.outputs.ReadNote(id, copyFile)
	if err != nil {
		return nil, nil, err
	}
	var r recordCopy
	if err = json.Unmarshal(text, &r); err == nil {
		err = checkCopy(&r.Record, id)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the copy of the record of container %s: %w", id, err)
	}
	spec, err := m.outputs.ReadNote(id, specFile)
	if err != nil || !json.Valid(spec) {
		spec = json.RawMessage(unknownSpec)
	}
	return &r.Record, spec, nil
}

// checkCopy checks what may have been torn by a power failure, or changed by hand.
func checkCopy(c *store.Container, id string) error {
	switch {
	case c.ID != id:
		return executor.Errorf(executor.Invalid, "it is that of %q", c.ID)
	case c.Attempt < 0:
		return executor.Errorf(executor.Invalid, "attempt %d is below 0", c.Attempt)
	case c.Backend == "":
		return executor.Errorf(executor.Invalid, "it names no backend")
	case c.Name != "":
		return ocispec.ValidateName(c.Name)
	}
	return nil
}

// copies yields the copies below a state directory, with the times of their files. It
// makes nothing.
func copies(stateDir string) iter.Seq2[time.Time, recordCopy] {
	return func(yield func(time.Time, recordCopy) bool) {
		if _, err := os.Stat(output.DirOf(stateDir)); err != nil {
			return
		}
		dir, err := output.OpenDir(stateDir)
		if err != nil {
			return
		}
		defer dir.Close()
		ids, _ := dir.IDs()
		for _, id := range ids {
			st, err := os.Lstat(filepath.Join(output.DirOf(stateDir), id, copyFile))
			if err != nil {
				continue
			}
			var r recordCopy
			text, err := dir.ReadNote(id, copyFile)
			if err != nil || json.Unmarshal(text, &r) != nil || checkCopy(&r.Record, id) != nil {
				continue
			}
			if !yield(st.ModTime(), r) {
				return
			}
		}
	}
}

// KnownHostID returns the id of the host that the containers of a state directory belong
// to, as their copies have it, or "". Of more than one it is that of the newest copy.
func KnownHostID(stateDir string) (known string) {
	var newest time.Time
	for at, r := range copies(stateDir) {
		if at.After(newest) && store.ValidHostID(r.Host) {
			known, newest = r.Host, at
		}
	}
	return known
}

// BackendsIn counts the containers of a state directory by backend, those that have ended
// too, as their copies have it. It can be called while a host runs.
func BackendsIn(stateDir string) map[string]int {
	n := map[string]int{}
	for _, r := range copies(stateDir) {
		n[r.Record.Backend]++
	}
	return n
}

// noCopy reports whether an error of readCopy means that there is none.
func noCopy(err error) bool { return errors.Is(err, fs.ErrNotExist) }
