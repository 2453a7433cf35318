package api

import (
	"context"
	"net/http"
)

type runner interface {
	RunAttached(context.Context, ContainerOptions, Attachment) (*End, error)
}

var runRoute = define(route[runner, createRequest, outputStream]{
	Name:      "RunAttached",
	Method:    http.MethodPost,
	Path:      "/v1/run",
	Doc:       "makes a container, starts it, and streams its output and the end of its first attempt",
	NeedsBody: true,
	Stream: func(ctx context.Context, h runner, r *createRequest, w http.ResponseWriter) error {
		opts, err := r.options()
		if err != nil {
			return err
		}
		f := newFrames(w)
		end, err := h.RunAttached(ctx, opts, Attachment{Started: f.container, Output: f.write, Dropped: f.dropped})
		return f.end(ctx, end, err)
	},
})

// Run makes a container, copies its output to sink until it has ended, and returns its
// end; see [Client.RunAttached]. started and sink may be nil.
func (c *Client) Run(ctx context.Context, opts ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
	return c.RunAttached(ctx, opts, Attachment{Started: started, Output: sink})
}

// RunAttached makes a container, copies its output to the caller until it has ended, and
// returns its end; see the method of host.Host. If it returns an error after Started was
// called, the container runs on.
func (c *Client) RunAttached(ctx context.Context, opts ContainerOptions, to Attachment) (*End, error) {
	req := newCreateRequest(opts)
	f := follower{opts: LogOptions{Attempt: 1, Dropped: to.Dropped}, sink: to.Output}
	id := ""
	f.started = func(made Container) error {
		id = made.ID
		if to.Started == nil {
			return nil
		}
		return to.Started(made)
	}
	err := c.retry(ctx, func() error {
		if id != "" {
			f.started = nil
			return f.attach(ctx, c, id)
		}
		return f.follow(ctx, c, func() (*http.Response, error) { return runRoute.open(ctx, c, req) })
	})
	return f.ended(err)
}
