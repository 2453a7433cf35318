package api

import (
	"context"
	"net/http"
)

// StepPush is the step in which blobs are sent to a registry, several at once.
const StepPush = "pushing"

type pushRequest struct {
	Name string `json:"name"`
}

type imagePusher interface {
	PushImage(ctx context.Context, name string, progress func(Progress)) (Image, error)
}

var pushRoute = define(route[imagePusher, pushRequest, imageStream]{
	Name:      "PushImage",
	Method:    http.MethodPost,
	Path:      "/v1/images/push",
	Doc:       "sends an image to the registry of its name, and streams the progress, one JSON object a line, and then the image",
	NeedsBody: true,
	Stream: func(ctx context.Context, h imagePusher, r *pushRequest, w http.ResponseWriter) error {
		return streamImages(ctx, w, http.NoBody, func(progress func(Progress)) ([]Image, error) {
			image, err := h.PushImage(ctx, r.Name, progress)
			return []Image{image}, err
		})
	},
})

// PushImage sends an image to the registry of its name; see the method of host.Host.
// progress may be nil. It is called by one goroutine at a time.
func (c *Client) PushImage(ctx context.Context, name string, progress func(Progress)) (Image, error) {
	return c.oneImage(ctx, progress, func() (*http.Response, error) { return pushRoute.open(ctx, c, pushRequest{name}) })
}
