package spool

import (
	"os"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// shimInterval is longer than an executor's, which comes first where there is one:
// every container has a shim.
const shimInterval = 5 * time.Second

// InShim looks after the output of a container within the process of its own
// shim, so that a full disk ends nobody's output even while no executor lives. pid
// is the container's first process. The paths may be those of other things than
// files, of which the Guard takes no notice. It ends with the process.
func InShim(id, stdout, stderr string, pid int) {
	NewGuard(nil, shimInterval).Watch(executor.Ref{ID: id, Attempt: 1}, executor.Stdio{Stdout: fileAt(stdout), Stderr: fileAt(stderr)}, pid)
}

// fileAt gives the stream of a plain file, or none.
func fileAt(path string) executor.Stream {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return executor.Stream{}
	}
	return executor.Stream{Kind: executor.StreamFile, Path: path}
}
