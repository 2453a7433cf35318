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
