package api

import (
	"context"
	"crypto/rand"
	"net/http"
)

// AttachOptions say how to attach to a container.
type AttachOptions struct {
	// Attempt is the attempt to attach to, also one to come; 0 means the present one.
	Attempt int
	// Start starts that attempt, unless it was started.
	Start bool
	// Now leaves out the output that there is already.
	Now bool
	// KeepInput leaves the container's input open when that of the client ends.
	KeepInput bool
	// Client is a name that the client chooses at random. With the same name again the
	// input goes on where it ended.
	Client string
}

type streamAttacher interface {
	AttachStreams(ctx context.Context, reference string, opts AttachOptions, to Streams) (*End, error)
}

type streamRequest struct {
	Ref string `path:"ref" json:"-"`
	// Attempt may be left out: the present one.
	Attempt   int    `query:"attempt" json:"-"`
	Start     bool   `query:"start" json:"-"`
	Now       bool   `query:"now" json:"-"`
	KeepInput bool   `query:"keep_input" json:"-"`
	Client    string `query:"client" json:"-"`
	// FromStdout and FromStderr are where the output is to begin.
	FromStdout int64 `query:"from_stdout" json:"-"`
	FromStderr int64 `query:"from_stderr" json:"-"`
}

var attachStreamsRoute = define(route[streamAttacher, streamRequest, duplexStream]{
	Name:   "AttachStreams",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/streams",
	Doc:    "attaches this connection to the input and output of a container, and starts it first if that is wanted",
	Upgrade: func(ctx context.Context, h streamAttacher, r *streamRequest, d *duplex) (*End, error) {
		o := AttachOptions{Attempt: r.Attempt, Start: r.Start, Now: r.Now, KeepInput: r.KeepInput, Client: r.Client}
		return h.AttachStreams(ctx, r.Ref, o, d.streams(Cursor{Attempt: r.Attempt, Stdout: r.FromStdout, Stderr: r.FromStderr}))
	},
})

// AttachStreams attaches the caller to the input and output of a container until an attempt
// has ended, and returns its end; see the method of host.Host.
func (c *Client) AttachStreams(ctx context.Context, reference string, opts AttachOptions, to Streams) (*End, error) {
	if opts.Start && opts.Attempt == 0 { // a repeated request must not start another one
		now, err := c.Inspect(ctx, reference)
		if err != nil {
			return nil, err
		}
		reference, opts.Attempt = now.ID, now.Attempt+1
	}
	if opts.Client == "" {
		opts.Client = rand.Text()
	}
	return c.attachAgain(ctx, reference, opts, to, nil)
}

// attachAgain attaches to a container, with first for the first connection if it is not
// nil.
func (c *Client) attachAgain(ctx context.Context, reference string, opts AttachOptions, to Streams, first func(context.Context, Cursor) (*http.Response, error)) (*End, error) {
	begun := to.Begun
	to.Begun = func(b StreamsBegun) error {
		// From here on the same attempt of the same container is meant, from there on.
		if b.Container != nil {
			reference = b.Container.ID
		}
		opts.Attempt, opts.Now, first = b.Cursor.Attempt, false, nil
		if begun == nil {
			return nil
		}
		return begun(b)
	}
	return c.attachTo(ctx, to, func(ctx context.Context, at Cursor) (*http.Response, error) {
		if first != nil {
			return first(ctx, at)
		}
		return attachStreamsRoute.upgrade(ctx, c, streamRequest{
			Ref: reference, Attempt: opts.Attempt, Start: opts.Start, Now: opts.Now, KeepInput: opts.KeepInput, Client: opts.Client,
			FromStdout: at.Stdout, FromStderr: at.Stderr,
		})
	})
}

type streamRunner interface {
	RunStreams(ctx context.Context, opts ContainerOptions, client string, to Streams) (*End, error)
}

type runStreamsRequest struct {
	Client string `query:"client" json:"-"`
	createRequest
}

var runStreamsRoute = define(route[streamRunner, runStreamsRequest, duplexStream]{
	Name:      "RunStreams",
	Method:    http.MethodPost,
	Path:      "/v1/run/streams",
	Doc:       "makes a container, starts it, and attaches this connection to its input and output",
	NeedsBody: true,
	Upgrade: func(ctx context.Context, h streamRunner, r *runStreamsRequest, d *duplex) (*End, error) {
		opts, err := r.options()
		if err != nil {
			return nil, err
		}
		return h.RunStreams(ctx, opts, r.Client, d.streams(Cursor{}))
	},
})

// RunStreams makes a container, attaches the caller to its input and output until its first
// attempt has ended, and returns its end; see the method of host.Host. If it returns an error
// after Begun was called, the container runs on. client is that of [AttachOptions].
func (c *Client) RunStreams(ctx context.Context, opts ContainerOptions, client string, to Streams) (*End, error) {
	req := newCreateRequest(opts)
	if client == "" {
		client = rand.Text()
	}
	return c.attachAgain(ctx, "", AttachOptions{Client: client}, to, func(ctx context.Context, _ Cursor) (*http.Response, error) {
		return runStreamsRoute.upgrade(ctx, c, runStreamsRequest{client, req})
	})
}
