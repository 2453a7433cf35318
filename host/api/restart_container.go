package api

import (
	"context"
	"net/http"
	"time"
)

type restarter interface {
	Restart(ctx context.Context, reference string, timeout time.Duration) (Container, error)
}

var restartRoute = define(route[restarter, stopRequest, Container]{
	Name:   "Restart",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/restart",
	Doc:    "ends a container as stop does, and starts it once more; starts one that has ended; 202 means that it is recorded, and done later",
	Serve: func(ctx context.Context, h restarter, r *stopRequest) (Container, error) {
		return h.Restart(ctx, r.Ref, r.timeout())
	},
})

// Restart ends a container, as Stop does, and starts it once more; see the method of
// host.Host.
func (c *Client) Restart(ctx context.Context, reference string, timeout time.Duration) (Container, error) {
	return restartRoute.call(ctx, c, newStopRequest(reference, timeout))
}
