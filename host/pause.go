package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/containers"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Pause freezes all processes of a container. Signals are delivered after Resume, except
// that SIGKILL and Stop end a paused container too. Pausing a container that is paused
// changes nothing.
func (h *Host) Pause(ctx context.Context, reference string) error {
	_, err := containers.Act(ctx, h.containers, reference, transport.MethodPause, containers.Action[executor.Ref]{
		Request: containers.Itself, Becomes: store.Paused, Event: api.EventPaused,
	})
	return err
}

// Resume lets a paused container run on. Resuming a container that runs changes nothing.
func (h *Host) Resume(ctx context.Context, reference string) error {
	return h.containers.Resume(ctx, reference)
}
