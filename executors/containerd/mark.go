package containerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/linux"
)

// marks are small files that say what containerd cannot say of a container: that and
// when its start was asked for, and what its cgroup had seen by then.
//
// They are not synced. They have to outlive processes and not the machine: after a
// reboot no task is left that they could describe.
type marks struct{ dir string }

// maxMark bounds a file, in bytes.
const maxMark = 1 << 20

// mark is written after the task is created and before its start. A record without
// task and mark is one that never ran.
type mark struct {
	Attempt   int            `json:"attempt"`
	StartedAt time.Time      `json:"started_at"`
	OOM       oci.OOMSource  `json:"oom"`
	Errors    oci.InitErrors `json:"errors"`
	// Drain is the cap of the shim that was found when the attempt was created.
	Drain oci.DrainCap `json:"drain,omitempty"`
	// Answered says that the start was answered, so that the workload is known to have
	// run. Without it, only its output may show that it never did.
	Answered bool `json:"answered,omitempty"`
}

func (m marks) path(cid string) string { return filepath.Join(m.dir, cid) }

// remainsPath has a file that says by what the processes are found if nobody else ends
// them. It stays when an undo has removed the mark.
func (m marks) remainsPath(cid string) string { return m.path(cid) + ".remains" }

// write writes the mark of an attempt whose first process is pid.
func (m marks) write(cid string, v mark, pid int) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	err := writeJSON(m.remainsPath(cid), oci.RemainsOf(pid, cid))
	if err == nil {
		err = writeJSON(m.path(cid), v)
	}
	if err != nil {
		return fmt.Errorf("mark start: %w", err)
	}
	return nil
}

// answered notes that a start was answered.
func (m marks) answered(cid string, v mark) error {
	v.Answered = true
	return writeJSON(m.path(cid), v)
}

// writeJSON writes a file, which is whole at any time.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return linux.WriteWhole(path, b)
}

// remains returns what write knew of the processes.
func (m marks) remains(cid string) (r oci.Remains) {
	if b, err := linux.ReadFile(m.remainsPath(cid), maxMark); err == nil {
		_ = json.Unmarshal(b, &r)
	}
	return r
}

// forget removes all that is kept of a container.
func (m marks) forget(cid string) error {
	_ = os.Remove(m.remainsPath(cid) + "~")
	err := os.Remove(m.remainsPath(cid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		err = nil
	}
	return errors.Join(err, m.remove(cid))
}

// read returns the mark of an attempt, and whether there is one.
func (m marks) read(cid string, attempt int) (mark, bool) {
	b, err := linux.ReadFile(m.path(cid), maxMark)
	if err != nil {
		return mark{}, false
	}
	var v mark
	if err := json.Unmarshal(b, &v); err != nil || v.Attempt != attempt {
		return mark{}, false
	}
	return v, true
}

// remove removes the mark, and the draft of a mark whose writer was killed.
func (m marks) remove(cid string) error {
	_ = os.Remove(m.path(cid) + "~") // what prevents this prevents the next removal, too
	err := os.Remove(m.path(cid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
