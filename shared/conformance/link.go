package conformance

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// link is the way to one process of the executor under test, in one mode. Its
// methods are not called concurrently.
type link interface {
	// start starts the executor.
	start() error
	// connect makes host the executor's only host and opens the backend. It is called
	// after start, and again after disconnect.
	connect(ctx context.Context, env executor.Environment, host *testHost) (transport.Caller, []executor.Capability, error)
	// disconnect does what the death of the host does.
	disconnect()
	// close ends the executor in good order.
	close(ctx context.Context) error
	// kill ends the executor as abruptly as the mode can. Within this process that is
	// no more abrupt than close.
	kill(ctx context.Context)
	// log returns the end of what the executor has logged.
	log() string
}

func (t *trial) newLink() link {
	switch t.mode {
	case Connected:
		return insideWire(t.target)
	case Binary:
		return binaryWire(t.target, t.subdir("p"))
	}
	return &direct{executor: *t.target.Executor, alter: t.target.alter}
}
