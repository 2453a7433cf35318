package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// Stats returns what the processes of a container use, and what has passed its network if that
// is one of the host's. The error for a container that does not run is
// [executor.FailedPrecondition].
func (h *Host) Stats(ctx context.Context, reference string) (api.Stats, error) {
	return h.containers.Stats(ctx, reference)
}

// Traffic returns what has passed each interface of a container's network, if that is one of the
// host's, also where its backend does not answer.
func (h *Host) Traffic(reference string) ([]api.Traffic, error) {
	return h.containers.Traffic(reference)
}
