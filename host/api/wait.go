package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/davit-run/davit/shared/executor"
)

type waitRequest struct {
	Ref string `path:"ref" json:"-"`
	// Attempt may be left out: the present one.
	Attempt int `query:"attempt" json:"-"`
	// Condition may be left out: the end of the attempt. With next-exit the attempt may be
	// one that has not begun yet.
	Condition WaitCondition `query:"condition" json:"-"`
}

type waiter interface {
	WaitAttempt(ctx context.Context, reference string, attempt int) (*End, error)
	WaitFor(ctx context.Context, reference string, condition WaitCondition, attempt int) (*End, error)
}

var waitRoute = define(route[waiter, waitRequest, *End]{
	Name:   "WaitAttempt",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/wait",
	Doc:    "waits for the end of an attempt of a container, the present one unless another is named, or for another condition",
	Serve: func(ctx context.Context, h waiter, r *waitRequest) (*End, error) {
		if r.Condition != "" {
			return h.WaitFor(ctx, r.Ref, r.Condition, r.Attempt)
		}
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
		end, err = waitRoute.call(ctx, c, waitRequest{Ref: reference, Attempt: attempt})
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

// WaitFor waits for a condition, and returns the end of the last attempt; nil if nobody
// knows it any more, or the condition is [WaitHealthy]. Between two hosts nothing is missed
// but the end of what is removed.
func (c *Client) WaitFor(ctx context.Context, reference string, condition WaitCondition) (end *End, err error) {
	req := waitRequest{Ref: reference, Condition: condition}
	known := false
	err = c.retry(ctx, func() error {
		if !known { // the next host may start another attempt
			now, err := c.Inspect(ctx, reference)
			if err != nil {
				return err
			}
			known, req.Ref = true, now.ID
			if condition == WaitNextExit {
				if req.Attempt = now.Attempt; now.idle() {
					req.Attempt++
				}
			}
		}
		got, err := waitRoute.call(ctx, c, req)
		switch {
		case err == nil:
			end = got
		case condition == WaitRemoved && errors.Is(err, executor.NotFound):
			return nil // it was removed while there was no host, or before the first request
		}
		if absent, ok := errors.AsType[*absentError](err); ok { // the host went away between the two requests
			err = &goneError{absent.err}
		}
		return err
	})
	return end, err
}

// idle reports whether no attempt of a container is under way.
func (c *Container) idle() bool {
	switch c.State {
	case StateCreated, StateExited, StateFailed, StateRestarting:
		return true
	}
	return false
}
