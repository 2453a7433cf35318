package conformance

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// link is the way to one process of the executor under test, in one mode. Its
// methods are not called concurrently.
type link interface {
	// start starts the executor.
	start() error
	// connect makes host the executor's one host and opens the backend. It comes
	// after start, and again after disconnect.
	connect(ctx context.Context, env executor.Environment, host *recorder) (executor.Backend, []executor.Capability, error)
	// disconnect does what the death of the host does.
	disconnect()
	// close ends the executor in good order.
	close(ctx context.Context) error
	// kill ends the executor as hard as the mode can: within this process that is
	// not harder than close.
	kill(ctx context.Context)
	// log gives the end of what the executor has logged.
	log() string
}

func (t *trial) newLink() link {
	switch t.mode {
	case Connected:
		return insideWire(t.target)
	case Binary:
		return binaryWire(t.target, t.subdir("p"))
	}
	return &direct{executor: *t.target.Executor}
}
