package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// Update changes limits and the restart policy of a container, for what runs and for the
// attempts after it. What is wanted is recorded before anything is done: the next host goes
// on with it. Limits of a container that does not run change with its next start. If the
// backend refuses, everything stays as it was. The error is an [api.PendingError] if the
// backend does not answer: the limits are set later.
func (h *Host) Update(ctx context.Context, reference string, opts api.UpdateOptions) error {
	return h.containers.Update(ctx, reference, opts)
}
