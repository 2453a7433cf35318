package executor

import "context"

// CapStrays is the capability of a [StrayKeeper].
var CapStrays = capability[StrayKeeper]("strays")

// Stray is something that an executor has started for a host that is lost: the state that
// it was recorded in is gone. Nobody looks after it.
type Stray struct {
	// Key names it for AdoptStray and RemoveStray. Only the backend knows what it means.
	Key string `json:"key"`
	// Status is what is known of it. What has no ref any more has one that is made up.
	Status Status `json:"status"`
	// Host and Backend are what it is marked with, empty where nobody knows.
	Host    string `json:"host,omitempty"`
	Backend string `json:"backend,omitempty"`
	// What says in words what it is, and where.
	What string `json:"what"`
	// Problem is why it cannot be adopted, empty if it can.
	Problem string `json:"problem,omitempty"`
}

// StrayKeeper is implemented by backends that outlive hosts: what a host has started may
// run on when all that the host knew of it is lost.
type StrayKeeper interface {
	// Strays lists the strays within reach of the backend. What belongs to another host
	// or backend that is not lost is no stray.
	Strays(ctx context.Context) ([]Stray, error)

	// AdoptStray makes a stray an attempt of this backend, and returns its status. The
	// workload does not notice. From then on List and Restore know it. The error is
	// [FailedPrecondition] if the stray has a Problem, [AlreadyExists] if the backend has
	// an attempt of its id, and [NotFound] if there is no such stray. Adopting what was
	// adopted changes nothing.
	AdoptStray(ctx context.Context, stray Ref, key string) (Status, error)

	// RemoveStray kills a stray, and removes all that is left of it. A stray that is not
	// there is no error.
	RemoveStray(ctx context.Context, stray Ref, key string) error
}

// Validate checks that s makes sense. The error is [Invalid].
func (s Stray) Validate() error {
	if s.Key == "" {
		return Errorf(Invalid, "the stray %s has no key", s.Status.Ref)
	}
	return s.Status.Validate()
}
