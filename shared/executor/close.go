package executor

import "context"

// CapClose is the capability of a [Closer].
var CapClose = capability[Closer]("close")

// Closer is implemented by backends that own more than memory.
type Closer interface {
	// Close is called once, before the process exits in good order. It leaves
	// workloads running and releases what only this process needs.
	Close(ctx context.Context) error
}
