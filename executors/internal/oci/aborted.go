package oci

import (
	"errors"
	"io/fs"
	"os"
	"regexp"
	"time"
)

// To start a container, `runc start` opens a FIFO that the container's init
// writes to before it runs the workload. If the caller of a start goes away just
// then, because containerd or we are killed, shims kill `runc start` between the
// two: init fails, prints why to the workload's stderr, and exits with code 1.
// That looks like a workload that failed, but is one that never ran. A create that
// is cut off earlier leaves other words of init's, a dozen of which were seen.

// InitErrors is where init's message would be, and what was there before the create.
type InitErrors struct {
	Path string `json:"path,omitempty"`
	Size int64  `json:"size,omitempty"`
}

// NewInitErrors looks at the streams of a task before it is made.
func NewInitErrors(stdout, stderr string) InitErrors {
	path := stderr
	if path == "/dev/null" || path == "" {
		path = stdout // merged
	}
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
		return InitErrors{Path: path, Size: st.Size()}
	}
	return InitErrors{}
}

var initFailed = regexp.MustCompile(`^write exec fifo \S+: broken pipe\n$`)

// Aborted reports whether a task that has exited is known never to have run its
// workload.
func (e InitErrors) Aborted(code uint32, started, exited time.Time) bool {
	return code == 1 && exited.Sub(started) <= 10*time.Second && e.Told()
}

// Told reports whether init has left its message, and nobody anything else. It is
// for tasks that are gone, with their exit.
func (e InitErrors) Told() bool { return initFailed.Match(e.added()) }

// added gives the beginning of what was written since.
func (e InitErrors) added() []byte {
	if e.Path == "" {
		return nil
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, 256)
	n, _ := f.ReadAt(b, e.Size)
	return b[:n]
}

// Remove removes init's message if there is one: the workload that is started in
// the place of the aborted one did not print that.
func (e InitErrors) Remove() error {
	if !e.Told() {
		return nil
	}
	return os.Truncate(e.Path, e.Size)
}

// Reset removes whatever was written since, by an attempt whose workload is known
// not to have run.
func (e InitErrors) Reset() error {
	if e.Path == "" {
		return nil
	}
	st, err := os.Stat(e.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() <= e.Size {
		return nil
	}
	return os.Truncate(e.Path, e.Size)
}
