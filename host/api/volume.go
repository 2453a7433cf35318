package api

import (
	"context"
	"net/http"
	"time"
)

// Volume is a directory of the host's that outlives the containers that have it.
type Volume struct {
	// Name is the only name that it has. Anonymous means that no user has given it.
	Name      string            `json:"name"`
	Anonymous bool              `json:"anonymous,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Mountpoint is the path of its files on the host's machine.
	Mountpoint string    `json:"mountpoint"`
	CreatedAt  time.Time `json:"created_at"`
	// Containers are the ids of those that have it, whether they run or not.
	Containers []string `json:"containers"`
}

type volumeLister interface{ Volumes() ([]Volume, error) }

var volumesRoute = define(route[volumeLister, none, []Volume]{
	Name:   "Volumes",
	Method: http.MethodGet,
	Path:   "/v1/volumes",
	Doc:    "lists all volumes, by name",
	Serve:  func(_ context.Context, h volumeLister, _ *none) ([]Volume, error) { return h.Volumes() },
})

// Volumes returns all volumes, by name.
func (c *Client) Volumes(ctx context.Context) ([]Volume, error) {
	return volumesRoute.call(ctx, c, none{})
}

// volumeRequest names a volume.
type volumeRequest struct {
	Name string `path:"name" json:"-"`
}

type volumeInspector interface {
	InspectVolume(name string) (Volume, error)
}

var inspectVolumeRoute = define(route[volumeInspector, volumeRequest, Volume]{
	Name:   "InspectVolume",
	Method: http.MethodGet,
	Path:   "/v1/volumes/{name}",
	Doc:    "returns a volume",
	Serve: func(_ context.Context, h volumeInspector, r *volumeRequest) (Volume, error) {
		return h.InspectVolume(r.Name)
	},
})

// InspectVolume returns a volume.
func (c *Client) InspectVolume(ctx context.Context, name string) (Volume, error) {
	return inspectVolumeRoute.call(ctx, c, volumeRequest{name})
}
