package api

import (
	"context"
	"net/http"
)

type starter interface {
	Start(ctx context.Context, reference string) (Container, error)
}

var startRoute = define(route[starter, refRequest, Container]{
	Name:   "Start",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/start",
	Doc:    "starts a container that has ended once more",
	Serve: func(ctx context.Context, h starter, r *refRequest) (Container, error) {
		return h.Start(ctx, r.Ref)
	},
})

// Start starts a container that has ended once more.
func (c *Client) Start(ctx context.Context, reference string) (Container, error) {
	return startRoute.call(ctx, c, refRequest{reference})
}
