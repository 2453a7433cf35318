package host

import (
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// Observer is told what a [Host] does while it does it. What a host has at a moment, such as
// containers and the states of backends, its methods say.
//
// Many goroutines call it, and wait for it: its methods must return at once, and must not use
// the Host.
type Observer interface {
	// Called says that the executor of a backend was called, how long the host waited for the
	// answer, and what came of it.
	Called(backend, method string, took time.Duration, err error)
	// Stepped says how long a step of a container's start took, whether or not it succeeded:
	// files, rootfs, network, ports, create (the executor's part, with hooks) or record.
	Stepped(backend, step string, took time.Duration)
	// Started says how long a start took in all. The container runs if err is nil. A start of
	// which nobody knows yet what became of it is told when that is known.
	Started(backend string, took time.Duration, err error)
	// Exited is called once for the end of each attempt, when it is on disk.
	Exited(backend string, source executor.Provenance)
	// Output says that more output was written, dropped or lost, in bytes. It is found out
	// when the host looks at the files, mostly within a quarter of a second.
	Output(stream api.Stream, written, dropped, lost int64)
	// Committed is called after each commit of state. took is the time until it was on disk,
	// or had failed with err.
	Committed(took time.Duration, err error)
}
