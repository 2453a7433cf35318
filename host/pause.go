package host

import "context"

// Pause freezes all processes of a container. Signals are delivered after Resume, except
// that SIGKILL and Stop end a paused container too. Pausing a container that is paused
// changes nothing.
func (h *Host) Pause(ctx context.Context, reference string) error {
	return h.containers.Pause(ctx, reference)
}

// Resume lets a paused container run on. Resuming a container that runs changes nothing.
func (h *Host) Resume(ctx context.Context, reference string) error {
	return h.containers.Resume(ctx, reference)
}
