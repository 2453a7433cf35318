package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

type meter interface {
	Stats(ctx context.Context, reference string) (executor.Stats, error)
}

var statsRoute = define(route[meter, refRequest, executor.Stats]{
	Name:   "Stats",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/stats",
	Doc:    "measures what the processes of a container use",
	Serve: func(ctx context.Context, h meter, r *refRequest) (executor.Stats, error) {
		return h.Stats(ctx, r.Ref)
	},
})

// Stats returns what the processes of a container use.
func (c *Client) Stats(ctx context.Context, reference string) (executor.Stats, error) {
	return statsRoute.call(ctx, c, refRequest{reference})
}
