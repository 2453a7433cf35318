package store

import (
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Observer is told what a Store does. Its methods are called by the goroutine that commits,
// and must return at once.
type Observer interface {
	// Committed is called after each commit that has written something. took is the time
	// until it was on disk, or until it had failed with err.
	Committed(took time.Duration, err error)
	// Exited is called once for the end of each attempt, when it is on disk.
	Exited(backend string, source executor.Provenance)
}

// unobserved is the Observer of a Store that has none.
type unobserved struct{}

func (unobserved) Committed(time.Duration, error)     {}
func (unobserved) Exited(string, executor.Provenance) {}

// exited is an end that was written in a transaction.
type exited struct {
	backend string
	source  executor.Provenance
}
