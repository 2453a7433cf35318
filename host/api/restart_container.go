package api

import (
	"context"
	"net/http"
	"time"
)

type restarter interface {
	RestartWith(ctx context.Context, reference string, opts StopOptions) (Container, error)
}

var restartRoute = define(route[restarter, stopRequest, Container]{
	Name:   "RestartWith",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/restart",
	Doc:    "ends a container as stop does, and starts it once more; starts one that has ended; 202 means that it is recorded, and done later",
	Serve: func(ctx context.Context, h restarter, r *stopRequest) (Container, error) {
		return h.RestartWith(ctx, r.Ref, r.options())
	},
})

// Restart ends a container, as Stop does, and starts it once more; see the method of
// host.Host.
func (c *Client) Restart(ctx context.Context, reference string, timeout time.Duration) (Container, error) {
	return c.RestartWith(ctx, reference, StopOptions{Timeout: &timeout})
}

// RestartWith is [Client.Restart] with more options.
func (c *Client) RestartWith(ctx context.Context, reference string, opts StopOptions) (Container, error) {
	return restartRoute.call(ctx, c, newStopRequest(reference, opts))
}
