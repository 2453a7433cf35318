package lifecycle

import (
	"context"
	"errors"

	"github.com/davit-run/davit/shared/executor"
)

// Process is a handle of one process, which may have ended. Wait, Record and
// Release are called by one watcher, one after the other, and Signal at any time
// besides.
type Process interface {
	// Wait waits for the end of a process that runs. The connection to what runs the
	// process may break and come back meanwhile. An error means that ctx ended, or
	// that the end cannot be known yet.
	Wait(ctx context.Context) (*executor.Exit, error)

	// Release is called when the host has the exit. It frees everything except what
	// shows Find that the process was released. It returns whether the output is
	// complete.
	Release(ctx context.Context) (executor.Output, error)

	// Signal sends a signal, which is from 1 to 64. The error is [ErrEnded] if the
	// process has ended. SIGKILL ends a paused process too.
	Signal(ctx context.Context, sig executor.Signal) error

	// Remove removes everything of the process, in any phase, also after Close. What
	// is gone already is not an error.
	Remove(ctx context.Context) error
}

// ErrEnded is what methods of a Process return if it has ended.
var ErrEnded = errors.New("the process has ended")

// Recorder is implemented by processes of which something must be written down, or
// ended, before the host is notified of the end.
type Recorder interface {
	// Record is called with the exit that Wait or Find returned, and does not change
	// it. Record can be called again. An error that is a disk fault
	// ([executor.DiskFault]) holds up nothing but an exit that is lost; Record is then
	// called once more after the release.
	Record(ctx context.Context, exit *executor.Exit) error
}

// Starter is implemented by processes that can be found in the phase Created.
type Starter interface {
	// Start starts the process. Find is then called to see what became of it. The
	// error matters only if the process is still Created.
	Start(ctx context.Context) error
}

// Adopter is implemented by processes that need to know their streams.
type Adopter interface {
	// Adopt is called before Wait when a found process is adopted.
	Adopt(stdio executor.Stdio)
}

// Closer is implemented by processes whose handles own more than memory.
type Closer interface {
	// Close is called when a handle is no longer needed, or needed only for Remove.
	// It can be called more than once.
	Close()
}

func closeProcess(p any) {
	if c, ok := p.(Closer); ok {
		c.Close()
	}
}
