package api

import (
	"context"
	"net/http"
)

// EventPaused occurs when the processes of a container were stopped where they stood,
// EventResumed when they go on.
const (
	EventPaused  = "container.paused"
	EventResumed = "container.resumed"
)

type pauser interface {
	Pause(ctx context.Context, reference string) error
}

type resumer interface {
	Resume(ctx context.Context, reference string) error
}

var pauseRoute = define(route[pauser, refRequest, none]{
	Name:   "Pause",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/pause",
	Doc:    "stops all processes of a container where they stand",
	Serve: func(ctx context.Context, h pauser, r *refRequest) (none, error) {
		return none{}, h.Pause(ctx, r.Ref)
	},
})

var resumeRoute = define(route[resumer, refRequest, none]{
	Name:   "Resume",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/resume",
	Doc:    "lets a paused container go on",
	Serve: func(ctx context.Context, h resumer, r *refRequest) (none, error) {
		return none{}, h.Resume(ctx, r.Ref)
	},
})

// Pause stops all processes of a container where they stand.
func (c *Client) Pause(ctx context.Context, reference string) error {
	_, err := pauseRoute.call(ctx, c, refRequest{reference})
	return err
}

// Resume lets a paused container go on.
func (c *Client) Resume(ctx context.Context, reference string) error {
	_, err := resumeRoute.call(ctx, c, refRequest{reference})
	return err
}
