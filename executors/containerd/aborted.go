package containerd

import (
	"os"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/executors/internal/runtimes"
)

// To start a container, `runc start` opens a FIFO that the container's init
// writes to before it runs the workload. If the caller of a start goes away just
// then, because containerd or we are killed, shims kill `runc start` between the
// two: init fails, prints why to the workload's stderr, and exits with code 1.
// That looks like a workload that failed, but is one that never ran.

// errorFile is where init's message would be, and what was there before.
type errorFile struct {
	Path string `json:"path,omitempty"`
	Size int64  `json:"size,omitempty"`
}

// newErrorFile looks at the streams of a task that is about to start.
func newErrorFile(stdout, stderr string) errorFile {
	path := stderr
	if path == "/dev/null" || path == "" {
		path = stdout // merged
	}
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
		return errorFile{Path: path, Size: st.Size()}
	}
	return errorFile{}
}

var initFailed = runtimes.Regexp(`^write exec fifo \S+: broken pipe\n$`)

// abortedStart reports whether a task that has stopped is known never to have run
// its workload.
func abortedStart(task *tasktypes.Process, m mark) bool {
	if task.GetStatus() != tasktypes.Status_STOPPED || task.GetExitStatus() != 1 ||
		m.Errors.Path == "" || task.GetExitedAt().AsTime().Sub(m.StartedAt) > 10*time.Second {
		return false
	}
	f, err := os.Open(m.Errors.Path)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, 256)
	n, _ := f.ReadAt(b, m.Errors.Size)
	return initFailed().Match(b[:n])
}
