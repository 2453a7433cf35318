package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// Strays lists what is left of containers whose records are lost: containers that the
// backends have, and directories with output. What only the state is missing for is
// adopted without being asked, and is not among them.
func (h *Host) Strays(ctx context.Context) ([]api.Stray, error) { return h.containers.Strays(ctx) }

// AdoptStray makes a stray a container of the host. What runs does not notice. A directory
// becomes a container that has ended, with its output. The reference is an id, a name or
// the beginning of an id of a stray. The error for one that cannot be adopted is
// [executor.FailedPrecondition].
func (h *Host) AdoptStray(ctx context.Context, reference string) (api.Container, error) {
	return h.containers.AdoptStray(ctx, reference)
}

// RemoveStray kills a stray, and removes it with its output.
func (h *Host) RemoveStray(ctx context.Context, reference string) error {
	return h.containers.RemoveStray(ctx, reference)
}
