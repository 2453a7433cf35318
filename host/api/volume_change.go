package api

import (
	"context"
	"net/http"
)

// VolumeOptions say what volume to make.
type VolumeOptions struct {
	// Name is new; see [ocispec.ValidateVolumeName]. Without one the volume is anonymous.
	Name string `json:"name,omitempty"`
	// Labels have at most 64 KiB in all.
	Labels map[string]string `json:"labels,omitempty"`
}

type volumeCreator interface {
	CreateVolume(ctx context.Context, opts VolumeOptions) (Volume, error)
}

var createVolumeRoute = define(route[volumeCreator, VolumeOptions, Volume]{
	Name:   "CreateVolume",
	Method: http.MethodPost,
	Path:   "/v1/volumes",
	Doc:    "makes a volume, or returns the one that has the name",
	Serve: func(ctx context.Context, h volumeCreator, r *VolumeOptions) (Volume, error) {
		return h.CreateVolume(ctx, *r)
	},
})

// CreateVolume makes a volume, or returns the one that has the name.
func (c *Client) CreateVolume(ctx context.Context, opts VolumeOptions) (Volume, error) {
	return createVolumeRoute.call(ctx, c, opts)
}

type volumeRemover interface {
	RemoveVolume(ctx context.Context, name string) error
}

var removeVolumeRoute = define(route[volumeRemover, volumeRequest, none]{
	Name:   "RemoveVolume",
	Method: http.MethodDelete,
	Path:   "/v1/volumes/{name}",
	Doc:    "removes a volume that no container has, with all that is in it",
	Serve: func(ctx context.Context, h volumeRemover, r *volumeRequest) (none, error) {
		return none{}, h.RemoveVolume(ctx, r.Name)
	},
})

// RemoveVolume removes a volume that no container has, with all that is in it.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	_, err := removeVolumeRoute.call(ctx, c, volumeRequest{name})
	return err
}

// PruneVolumesOptions say which volumes to remove.
type PruneVolumesOptions struct {
	// All removes all volumes that no container has, and not only anonymous ones.
	All bool `json:"all,omitempty"`
	// DryRun removes nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// PrunedVolumes is what was removed.
type PrunedVolumes struct {
	Volumes []Volume `json:"volumes"`
	Bytes   int64    `json:"bytes"`
}

type volumePruner interface {
	PruneVolumes(ctx context.Context, opts PruneVolumesOptions) (PrunedVolumes, error)
}

var pruneVolumesRoute = define(route[volumePruner, PruneVolumesOptions, PrunedVolumes]{
	Name:   "PruneVolumes",
	Method: http.MethodPost,
	Path:   "/v1/volumes/prune",
	Doc:    "removes the volumes that no container has",
	Serve: func(ctx context.Context, h volumePruner, r *PruneVolumesOptions) (PrunedVolumes, error) {
		return h.PruneVolumes(ctx, *r)
	},
})

// PruneVolumes removes the volumes that no container has; see the method of host.Host.
func (c *Client) PruneVolumes(ctx context.Context, opts PruneVolumesOptions) (PrunedVolumes, error) {
	return pruneVolumesRoute.call(ctx, c, opts)
}
