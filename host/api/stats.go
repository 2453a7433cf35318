package api

import (
	"context"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

// Stats is what a container uses.
type Stats struct {
	executor.Stats
	// Network is what has passed its network. It is nil for one without a network of the
	// host's, such as the machine's own.
	Network *Traffic `json:"network,omitempty"`
}

// Traffic is what has passed the links of a network namespace since it was made, in bytes.
// Containers that share one share what has passed it.
type Traffic struct {
	Received uint64 `json:"received"`
	Sent     uint64 `json:"sent"`
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
