package api

import (
	"cmp"
	"context"
	"net/http"
	"time"
)

// logsRequest is LogOptions with the reference of a container.
type logsRequest struct {
	Ref        string    `path:"ref" json:"-"`
	Follow     bool      `query:"follow" json:"-"`
	Tail       *int      `query:"tail" json:"-"`
	Stdout     bool      `query:"stdout" json:"-"`
	Stderr     bool      `query:"stderr" json:"-"`
	Since      time.Time `query:"since" json:"-"`
	Until      time.Time `query:"until" json:"-"`
	Timestamps bool      `query:"timestamps" json:"-"`
	// Attempt may be left out: all of them, or where the end is asked for, the present
	// one. The others are where to begin, with offsets.
	Attempt     int   `query:"attempt" json:"-"`
	FromAttempt int   `query:"from_attempt" json:"-"`
	FromStdout  int64 `query:"from_stdout" json:"-"`
	FromStderr  int64 `query:"from_stderr" json:"-"`
}

func newLogsRequest(reference string, o LogOptions) logsRequest {
	return logsRequest{
		Ref: reference, Follow: o.Follow, Tail: o.Tail, Stdout: o.Stdout, Stderr: o.Stderr, Since: o.Since, Until: o.Until,
		Timestamps: o.Timestamps, Attempt: o.Attempt, FromAttempt: o.From.Attempt, FromStdout: o.From.Stdout, FromStderr: o.From.Stderr,
	}
}

func (r *logsRequest) options(f *frames) LogOptions {
	return LogOptions{
		Attempt: r.Attempt, From: Cursor{Attempt: cmp.Or(r.FromAttempt, max(0, r.Attempt)), Stdout: r.FromStdout, Stderr: r.FromStderr},
		Follow: r.Follow, Tail: r.Tail, Stdout: r.Stdout, Stderr: r.Stderr, Since: r.Since, Until: r.Until,
		Timestamps: r.Timestamps, Begun: f.cursor, Dropped: f.dropped,
	}
}

type logger interface {
	Logs(ctx context.Context, reference string, opts LogOptions, sink Sink) error
}

var logsRoute = define(route[logger, logsRequest, outputStream]{
	Name:   "Logs",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/logs",
	Doc:    "streams the output of a container: of one attempt, or of all that are kept",
	Stream: func(ctx context.Context, h logger, r *logsRequest, w http.ResponseWriter) error {
		f := newFrames(w)
		return f.fail(ctx, h.Logs(ctx, r.Ref, r.options(f), f.write))
	},
})

// Logs copies the output of a container to sink; see the method of host.Host.
func (c *Client) Logs(ctx context.Context, reference string, opts LogOptions, sink Sink) error {
	f := follower{opts: opts, sink: sink}
	return c.retry(ctx, func() error {
		return f.follow(ctx, c, func() (*http.Response, error) {
			return logsRoute.open(ctx, c, newLogsRequest(reference, f.opts))
		})
	})
}
