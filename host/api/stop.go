package api

import (
	"context"
	"net/http"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// StopOptions say how a container is stopped.
type StopOptions struct {
	// Timeout is how long it has from the stop signal to being killed. Nil and
	// [OwnStopTimeout] are its own; any other negative one is for ever.
	Timeout *time.Duration
	// Signal is sent instead of its own stop signal; 0 is its own. What a later host goes on
	// with has its own.
	Signal executor.Signal
}

// Within returns the timeout, which is [OwnStopTimeout] if none is given.
func (o StopOptions) Within() time.Duration {
	if o.Timeout == nil {
		return OwnStopTimeout
	}
	return *o.Timeout
}

// Validate checks the options. The error is [executor.Invalid].
func (o StopOptions) Validate() error {
	if o.Signal == 0 {
		return nil
	}
	return checkSignal(o.Signal)
}

type stopRequest struct {
	Ref string `path:"ref" json:"-"`
	// Timeout and Signal may be left out: the container's own.
	Timeout *duration  `json:"timeout,omitempty"`
	Signal  signalName `json:"signal,omitzero"`
}

func newStopRequest(reference string, opts StopOptions) stopRequest {
	r := stopRequest{Ref: reference, Signal: signalName(opts.Signal)}
	if d := opts.Within(); d != OwnStopTimeout {
		r.Timeout = (*duration)(&d)
	}
	return r
}

func (r *stopRequest) options() StopOptions {
	return StopOptions{Timeout: (*time.Duration)(r.Timeout), Signal: executor.Signal(r.Signal)}
}

type stopper interface {
	StopWith(ctx context.Context, reference string, opts StopOptions) error
}

var stopRoute = define(route[stopper, stopRequest, none]{
	Name:   "StopWith",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/stop",
	Doc:    "asks a container to end, kills it when the timeout is over, and waits for its end; a negative timeout waits for ever; 202 means that it is recorded, and done later",
	Serve: func(ctx context.Context, h stopper, r *stopRequest) (none, error) {
		return none{}, h.StopWith(ctx, r.Ref, r.options())
	},
})

// Stop sends a container its stop signal, and kills it if it has not ended after timeout;
// see the method of host.Host.
func (c *Client) Stop(ctx context.Context, reference string, timeout time.Duration) error {
	return c.StopWith(ctx, reference, StopOptions{Timeout: &timeout})
}

// StopWith is [Client.Stop] with more options.
func (c *Client) StopWith(ctx context.Context, reference string, opts StopOptions) error {
	return c.retry(ctx, func() error {
		_, err := stopRoute.call(ctx, c, newStopRequest(reference, opts))
		return err
	})
}
