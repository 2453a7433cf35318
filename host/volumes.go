package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// Volumes returns all volumes, by name.
func (h *Host) Volumes() ([]api.Volume, error) { return h.volumes.List() }

// InspectVolume returns a volume.
func (h *Host) InspectVolume(name string) (api.Volume, error) { return h.volumes.Inspect(name) }

// CreateVolume makes a volume. If there is one with the name, it returns that one as it is.
func (h *Host) CreateVolume(ctx context.Context, opts api.VolumeOptions) (api.Volume, error) {
	return h.volumes.Create(ctx, opts)
}

// RemoveVolume removes a volume, with all that is in it. The error is
// [executor.FailedPrecondition] for one that containers have, whether they run or not.
func (h *Host) RemoveVolume(ctx context.Context, name string) error {
	return h.volumes.Remove(ctx, name)
}

// PruneVolumes removes the anonymous volumes that no container has, or all that no container
// has.
func (h *Host) PruneVolumes(ctx context.Context, opts api.PruneVolumesOptions) (api.PrunedVolumes, error) {
	return h.volumes.Prune(ctx, opts)
}
