package host

import (
	"context"
	"time"

	"github.com/davit-run/davit/host/api"
)

// Restart ends a container, as [Host.Stop] does, and starts it once more. It starts one
// that has ended, and waits for one that is being started. That it is to be restarted is
// recorded before anything is done: the next host goes on with it. A Stop meanwhile wins,
// and is a [executor.FailedPrecondition] error. The error is an [api.PendingError] if the
// backend does not answer: it is restarted later.
func (h *Host) Restart(ctx context.Context, reference string, timeout time.Duration) (api.Container, error) {
	return h.RestartWith(ctx, reference, api.StopOptions{Timeout: &timeout})
}

// RestartWith is [Host.Restart] with more options.
func (h *Host) RestartWith(ctx context.Context, reference string, opts api.StopOptions) (api.Container, error) {
	return h.containers.Restart(ctx, reference, opts)
}
