package api

import (
	"context"
	"net/http"
	"time"
)

type stopRequest struct {
	Ref string `path:"ref" json:"-"`
	// Timeout may be left out: the container's own.
	Timeout *duration `json:"timeout,omitempty"`
}

func newStopRequest(reference string, timeout time.Duration) stopRequest {
	if timeout == OwnStopTimeout {
		return stopRequest{Ref: reference}
	}
	return stopRequest{reference, (*duration)(&timeout)}
}

func (r *stopRequest) timeout() time.Duration {
	if r.Timeout == nil {
		return OwnStopTimeout
	}
	return time.Duration(*r.Timeout)
}

type stopper interface {
	Stop(ctx context.Context, reference string, timeout time.Duration) error
}

var stopRoute = define(route[stopper, stopRequest, none]{
	Name:   "Stop",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/stop",
	Doc:    "asks a container to end, kills it when the timeout is over, and waits for its end; a negative timeout waits for ever; 202 means that it is recorded, and done later",
	Serve: func(ctx context.Context, h stopper, r *stopRequest) (none, error) {
		return none{}, h.Stop(ctx, r.Ref, r.timeout())
	},
})

// Stop sends a container its stop signal, and kills it if it has not ended after timeout;
// see the method of host.Host.
func (c *Client) Stop(ctx context.Context, reference string, timeout time.Duration) error {
	return c.retry(ctx, func() error {
		_, err := stopRoute.call(ctx, c, newStopRequest(reference, timeout))
		return err
	})
}
