package lifecycle

import (
	"context"
	"errors"

	"github.com/davit-run/davit/shared/executor"
)

// Driver knows one technology. J is a checked request, P one process. Its methods
// are called concurrently, but Start and the methods of Process that change
// something for one id at a time.
type Driver[J any, P Process] interface {
	// Prepare checks a request. It makes nothing, and its errors are those of
	// [executor.Backend.Create].
	Prepare(ctx context.Context, w executor.Workload) (J, error)

	// Start makes and starts a process, and returns its status, or leaves nothing
	// behind. The error wraps [ErrInTheWay] if something has that id already, or if
	// it is not known how far the start came. Create then calls Find, and tries
	// again.
	Start(ctx context.Context, job J) (P, executor.Status, error)

	// Find looks for the process of ref.ID and ref.Exec, of whichever attempt it is. It
	// changes nothing. An error means that Find could not determine where the process stands.
	Find(ctx context.Context, ref executor.Ref) (f Found[P], ok bool, err error)

	// List finds all processes of the backend in one call. It may leave out those of
	// known ids, and should if looking at them is expensive. exec is that of the ref, and
	// empty for first processes.
	List(ctx context.Context, known func(id, exec string) bool) ([]Found[P], error)
}

// ErrInTheWay is wrapped by the error of a Start that found something in its way.
var ErrInTheWay = errors.New("something is in the way")

// Found is a process that a driver has found.
type Found[P Process] struct {
	// Process is the process, which the caller closes if it is a [Closer]. List may
	// leave it zero.
	Process P
	Phase   Phase
	// Status has the state Running, Paused, Exited, or Released if a Release of it
	// has succeeded. That of one that never ran may be zero but for the Ref.
	Status executor.Status
}

// Phase is where a process stands.
type Phase int

const (
	// NeverRan: it never ran and never will. Only a Create that was cut off leaves
	// this behind.
	NeverRan Phase = iota
	// Created: it waits for its start: see [Starter].
	Created
	// Running: it runs or is paused.
	Running
	// Ended: Status has its exit.
	Ended
)

// Inheritor is implemented by drivers whose next try of a start must know what an
// earlier try, which never ran, has left.
type Inheritor[J any, P Process] interface {
	// Inherit is called before from is removed. It may change job.
	Inherit(job J, from P)
}

// Retrier is implemented by drivers that decide how often a start is tried. Without
// it, a start is tried again three times, without a pause.
type Retrier[J any] interface {
	// Retry is called when a start was not possible for cause, the tries-th time in a
	// row, and pauses for as long as it makes sense. An error ends Create. With nil,
	// Create clears what is in the way and goes on, and an [executor.Unavailable]
	// error of Find no longer ends it.
	Retry(ctx context.Context, job J, tries int, cause error) error
}

// startTries is how often a start is tried again if the driver is not a Retrier.
const startTries = 3
