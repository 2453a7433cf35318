package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// CreateCheckpoint writes the state of a container's processes to the host's state directory,
// and returns when it is on disk. Without LeaveRunning the container ends by that, and is not
// started by its restart policy. What is being made is recorded before: the next host goes on
// with it. A checkpoint is there as a whole or not at all. The error is
// FailedPrecondition if the machine, the runtime or what the processes do makes it
// impossible; the container runs on then.
func (h *Host) CreateCheckpoint(ctx context.Context, reference string, opts api.CheckpointOptions) (api.Checkpoint, error) {
	return h.containers.CreateCheckpoint(ctx, reference, opts)
}

// Checkpoints returns the checkpoints of a container, the oldest first. They are removed with
// it.
func (h *Host) Checkpoints(reference string) ([]api.Checkpoint, error) {
	return h.containers.Checkpoints(reference)
}

// RemoveCheckpoint removes a checkpoint of a container.
func (h *Host) RemoveCheckpoint(ctx context.Context, reference, name string) error {
	return h.containers.RemoveCheckpoint(ctx, reference, name)
}

// StartCheckpoint starts a container that has ended, from one of its checkpoints: its
// processes go on from there. Files are as they are now, and not as they were. The container
// has its addresses still.
func (h *Host) StartCheckpoint(ctx context.Context, reference, name string) (api.Container, error) {
	return h.containers.StartCheckpoint(ctx, reference, name)
}
