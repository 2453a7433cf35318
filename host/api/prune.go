package api

import (
	"context"
	"net/http"
	"time"
)

// PruneOptions say what to remove.
type PruneOptions struct {
	// Older leaves out containers that have ended within that time. If it is not 0, it
	// leaves out what lost records have left too.
	Older time.Duration
	// DryRun removes nothing.
	DryRun bool
}

// Pruned is what was removed.
type Pruned struct {
	Containers []ContainerUsage `json:"containers"`
	Bytes      int64            `json:"bytes"`
}

// DiskUsage is how much of the disk containers and volumes take.
type DiskUsage struct {
	Containers []ContainerUsage `json:"containers"`
	Volumes    []VolumeUsage    `json:"volumes"`
}

// VolumeUsage is how much of the disk a volume takes.
type VolumeUsage struct {
	Name      string `json:"name"`
	Anonymous bool   `json:"anonymous,omitempty"`
	Bytes     int64  `json:"bytes"`
	// Containers counts those that have it.
	Containers int `json:"containers"`
}

// ContainerUsage is how much of the disk the output of a container takes.
type ContainerUsage struct {
	ID    string `json:"id"`
	Name  string `json:"name,omitempty"`
	Bytes int64  `json:"bytes"`
	// Ended says that it has ended for good, so that it can be removed.
	Ended   bool      `json:"ended,omitempty"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	// Lost says that the container has no record any more.
	Lost bool `json:"lost,omitempty"`
}

type pruneRequest struct {
	Older  duration `json:"older,omitzero"`
	DryRun bool     `json:"dry_run,omitempty"`
}

type pruner interface {
	Prune(ctx context.Context, opts PruneOptions) (Pruned, error)
}

var pruneRoute = define(route[pruner, pruneRequest, Pruned]{
	Name:   "Prune",
	Method: http.MethodPost,
	Path:   "/v1/prune",
	Doc:    "removes the containers that have ended, and what lost records have left",
	Serve: func(ctx context.Context, h pruner, r *pruneRequest) (Pruned, error) {
		return h.Prune(ctx, PruneOptions{Older: time.Duration(r.Older), DryRun: r.DryRun})
	},
})

// Prune removes containers that have ended; see the method of host.Host.
func (c *Client) Prune(ctx context.Context, opts PruneOptions) (Pruned, error) {
	return pruneRoute.call(ctx, c, pruneRequest{duration(opts.Older), opts.DryRun})
}

type diskUser interface{ DiskUsage() (DiskUsage, error) }

var diskUsageRoute = define(route[diskUser, none, DiskUsage]{
	Name:   "DiskUsage",
	Method: http.MethodGet,
	Path:   "/v1/disk",
	Doc:    "returns how much of the disk containers and volumes take",
	Serve:  func(_ context.Context, h diskUser, _ *none) (DiskUsage, error) { return h.DiskUsage() },
})

// DiskUsage returns how much of the disk containers and volumes take, the containers that
// take most first.
func (c *Client) DiskUsage(ctx context.Context) (DiskUsage, error) {
	return diskUsageRoute.call(ctx, c, none{})
}
