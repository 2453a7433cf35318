package api

import (
	"context"
	"errors"
	"net/http"
)

type waitRequest struct {
	Ref string `path:"ref" json:"-"`
	// Attempt may be left out: the present one.
	Attempt int `query:"attempt" json:"-"`
}

type waiter interface {
	WaitAttempt(ctx context.Context, reference string, attempt int) (*End, error)
}

var waitRoute = define(route[waiter, waitRequest, *End]{
	Name:   "WaitAttempt",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/wait",
	Doc:    "waits for the end of an attempt of a container, the present one unless another is named",
	Serve: func(ctx context.Context, h waiter, r *waitRequest) (*End, error) {
		return h.WaitAttempt(ctx, r.Ref, r.Attempt)
	},
})

// Wait waits for the end of a container's present attempt and returns it.
func (c *Client) Wait(ctx context.Context, reference string) (*End, error) {
	return c.WaitAttempt(ctx, reference, 0)
}

// WaitAttempt is like Wait for any attempt, also one that ended long ago; 0 means the
// present one.
func (c *Client) WaitAttempt(ctx context.Context, reference string, attempt int) (end *End, err error) {
	err = c.retry(ctx, func() error {
		there := false
		if attempt == 0 { // fix the attempt: the next host may start another one
			now, err := c.Inspect(ctx, reference)
			if err != nil {
				return err
			}
			reference, attempt, there = now.ID, now.Attempt, true
		}
		end, err = waitRoute.call(ctx, c, waitRequest{reference, attempt})
		if absent, ok := errors.AsType[*absentError](err); ok && there { // the host went away between the two requests
			err = &goneError{absent.err}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return end, nil
}
