package api

import (
	"context"
	"net/http"
)

// StepFetch is the step in which blobs are fetched from a registry, several at once.
const StepFetch = "fetching"

// PullOptions say what to pull.
type PullOptions struct {
	// Platform is the platform of the image, where there are several; empty means that of
	// the host.
	Platform string
}

type pullRequest struct {
	Name     string `json:"name"`
	Platform string `json:"platform,omitempty"`
}

type imagePuller interface {
	PullImage(ctx context.Context, name string, opts PullOptions, progress func(Progress)) (Image, error)
}

var pullRoute = define(route[imagePuller, pullRequest, imageStream]{
	Name:      "PullImage",
	Method:    http.MethodPost,
	Path:      "/v1/images/pull",
	Doc:       "fetches an image from its registry, and streams the progress, one JSON object a line, and then the image",
	NeedsBody: true,
	Stream: func(ctx context.Context, h imagePuller, r *pullRequest, w http.ResponseWriter) error {
		return streamImages(ctx, w, http.NoBody, func(progress func(Progress)) ([]Image, error) {
			image, err := h.PullImage(ctx, r.Name, PullOptions{r.Platform}, progress)
			return []Image{image}, err
		})
	},
})

// PullImage fetches an image from its registry; see the method of host.Host. progress may be
// nil. It is called by one goroutine at a time.
func (c *Client) PullImage(ctx context.Context, name string, opts PullOptions, progress func(Progress)) (Image, error) {
	return c.oneImage(ctx, progress, func() (*http.Response, error) {
		return pullRoute.open(ctx, c, pullRequest{name, opts.Platform})
	})
}

// oneImage makes a request whose reply is progress and then an image. It makes it again when
// the host is back, if that goes away meanwhile.
func (c *Client) oneImage(ctx context.Context, progress func(Progress), request func() (*http.Response, error)) (image Image, err error) {
	err = c.retry(ctx, func() error {
		resp, err := request()
		if err != nil {
			return err
		}
		images, err := c.readImages(ctx, resp, progress, func() error { return nil })
		if len(images) > 0 {
			image = images[0]
		}
		return err
	})
	return image, err
}
