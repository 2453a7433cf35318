package api

import (
	"context"
	"net/http"
)

type inspector interface {
	Inspect(reference string) (Container, error)
}

var inspectRoute = define(route[inspector, refRequest, Container]{
	Name:   "Inspect",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}",
	Doc:    "returns a container",
	Serve: func(_ context.Context, h inspector, r *refRequest) (Container, error) {
		return h.Inspect(r.Ref)
	},
})

// Inspect returns a container by id, name or the beginning of an id.
func (c *Client) Inspect(ctx context.Context, reference string) (Container, error) {
	return inspectRoute.call(ctx, c, refRequest{reference})
}
