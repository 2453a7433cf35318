package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

// Stats is what a container uses.
type Stats struct {
	executor.Stats
	// Network is what has passed each of its links. It is empty for one without a network of
	// the host's, such as the machine's own. Containers that share a network share that, too.
	Network []Traffic `json:"network,omitempty"`
}

type meter interface {
	Stats(ctx context.Context, reference string) (Stats, error)
}

var statsRoute = define(route[meter, refRequest, Stats]{
	Name:   "Stats",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/stats",
	Doc:    "measures what the processes of a container use",
	Serve: func(ctx context.Context, h meter, r *refRequest) (Stats, error) {
		return h.Stats(ctx, r.Ref)
	},
})

// Stats returns what the processes of a container use.
func (c *Client) Stats(ctx context.Context, reference string) (Stats, error) {
	return statsRoute.call(ctx, c, refRequest{reference})
}
