package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// Prune removes the containers that have ended for good, with their output, and the
// directories of containers whose records are lost and that no backend has. What runs is
// never removed, nor what a backend may still have that is not ready.
func (h *Host) Prune(ctx context.Context, opts api.PruneOptions) (api.Pruned, error) {
	return h.containers.Prune(ctx, opts)
}

// DiskUsage returns how much of the disk containers and volumes take, the containers that
// take most first.
func (h *Host) DiskUsage() (api.DiskUsage, error) {
	usage, err := h.containers.DiskUsage()
	if err == nil {
		usage.Volumes, err = h.volumes.Usage()
	}
	return usage, err
}
