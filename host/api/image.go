package api

import (
	"context"
	"net/http"
	"time"
)

// Image is an image of the host's.
type Image struct {
	// ID is the digest of its config.
	ID string `json:"id"`
	// Names are those that it has, with a tag each, as users write them. Wherever an image
	// is asked for, a name, an id or the beginning of an id will do.
	Names []string `json:"names"`
	// Digest is that of its manifest.
	Digest string `json:"digest"`
	// Platform is what it was built for, such as linux/amd64.
	Platform string `json:"platform,omitempty"`
	// Size is that of all of its files, in bytes. Other images may share some of its
	// layers.
	Size int64 `json:"size"`
	// CreatedAt is when it was built, if it says so, and AddedAt when it came here.
	CreatedAt time.Time `json:"created_at,omitzero"`
	AddedAt   time.Time `json:"added_at"`
	// Containers counts the containers that were made from it.
	Containers int `json:"containers,omitempty"`
}

type imageLister interface{ Images() ([]Image, error) }

var imagesRoute = define(route[imageLister, none, []Image]{
	Name:   "Images",
	Method: http.MethodGet,
	Path:   "/v1/images",
	Doc:    "lists all images, the newest first",
	Serve:  func(_ context.Context, h imageLister, _ *none) ([]Image, error) { return h.Images() },
})

// Images returns all images, the newest first.
func (c *Client) Images(ctx context.Context) ([]Image, error) {
	return imagesRoute.call(ctx, c, none{})
}

// ImageDetails is all about an image.
type ImageDetails struct {
	Image
	Config ImageConfig  `json:"config"`
	Layers []ImageLayer `json:"layers"`
}

// ImageConfig says how an image is run.
type ImageConfig struct {
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Cmd        []string          `json:"cmd,omitempty"`
	Env        []string          `json:"env,omitempty"`
	User       string            `json:"user,omitempty"`
	WorkingDir string            `json:"working_dir,omitempty"`
	StopSignal string            `json:"stop_signal,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	// HealthCheck is nil if there is none, or one that cannot be used.
	HealthCheck *HealthCheck `json:"health_check,omitempty"`
	// ExposedPorts and Volumes are sorted.
	ExposedPorts []string `json:"exposed_ports,omitempty"`
	Volumes      []string `json:"volumes,omitempty"`
}

// ImageLayer is a layer of an image.
type ImageLayer struct {
	// Digest is that of the blob, and DiffID that of the archive in it.
	Digest string `json:"digest"`
	DiffID string `json:"diff_id"`
	// Size is that of the blob, in bytes; 0 if it is missing.
	Size int64 `json:"size"`
}

// imageRequest names an image.
type imageRequest struct {
	Ref string `path:"ref" json:"-"`
}

type imageInspector interface {
	InspectImage(reference string) (ImageDetails, error)
}

var inspectImageRoute = define(route[imageInspector, imageRequest, ImageDetails]{
	Name:   "InspectImage",
	Method: http.MethodGet,
	Path:   "/v1/images/{ref}",
	Doc:    "returns all about an image",
	Serve: func(_ context.Context, h imageInspector, r *imageRequest) (ImageDetails, error) {
		return h.InspectImage(r.Ref)
	},
})

// InspectImage returns all about an image.
func (c *Client) InspectImage(ctx context.Context, reference string) (ImageDetails, error) {
	return inspectImageRoute.call(ctx, c, imageRequest{reference})
}
