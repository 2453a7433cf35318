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
)

// marks are small files that say, of each container, what containerd cannot:
// that and when a start of it was asked for, and what its cgroup had seen by then.
//
// They are not synced. They have to outlive processes and not the machine, and
// after a reboot no task is left that they could speak of.
type marks struct{ dir string }

// mark is made after the task and before its start. A record without task and
// mark is one that never ran.
type mark struct {
	Attempt   int            `json:"attempt"`
	StartedAt time.Time      `json:"started_at"`
	OOM       oci.OOMSource  `json:"oom"`
	Errors    oci.InitErrors `json:"errors"`
	// Drain is that of the shim which was found when the attempt was created.
	Drain oci.DrainCap `json:"drain,omitempty"`
}

func (m marks) path(cid string) string { return filepath.Join(m.dir, cid) }

func (m marks) write(cid string, v mark) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	tmp := m.path(cid) + "~"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("mark start: %w", err)
	}
	if err := os.Rename(tmp, m.path(cid)); err != nil {
		return fmt.Errorf("mark start: %w", err)
	}
	return nil
}

// read gives the mark of an attempt, and whether there is one.
func (m marks) read(cid string, attempt int) (mark, bool) {
	b, err := os.ReadFile(m.path(cid))
	if err != nil {
		return mark{}, false
	}
	var v mark
	if err := json.Unmarshal(b, &v); err != nil || v.Attempt != attempt {
		return mark{}, false
	}
	return v, true
}

func (m marks) remove(cid string) error {
	err := os.Remove(m.path(cid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
