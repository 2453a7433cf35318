package api

import (
	"context"
	"net/http"
)

type attacher interface {
	Attach(ctx context.Context, reference string, opts LogOptions, sink Sink) (*End, error)
}

var attachRoute = define(route[attacher, logsRequest, outputStream]{
	Name:   "Attach",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/attach",
	Doc:    "streams the output of an attempt of a container until it has ended, and then its end",
	Stream: func(ctx context.Context, h attacher, r *logsRequest, w http.ResponseWriter) error {
		f := newFrames(w)
		end, err := h.Attach(ctx, r.Ref, r.options(f), f.write)
		return f.end(ctx, end, err)
	},
})

// Attach copies the output of an attempt to sink until the attempt has ended, and
// returns its end; see the method of host.Host.
func (c *Client) Attach(ctx context.Context, reference string, opts LogOptions, sink Sink) (*End, error) {
	f := follower{opts: opts, sink: sink}
	err := c.retry(ctx, func() error { return f.attach(ctx, c, reference) })
	return f.ended(err)
}

// attach makes one request, for the rest of the output and the end.
func (f *follower) attach(ctx context.Context, c *Client, reference string) error {
	return f.follow(ctx, c, func() (*http.Response, error) {
		return attachRoute.open(ctx, c, newLogsRequest(reference, f.opts))
	})
}
