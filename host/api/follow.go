package api

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/shared/executor"
)

// Run makes a container, gives its output to sink until it has ended, and gives
// its end; see [Client.RunAttached]. started and sink may be nil.
func (c *Client) Run(ctx context.Context, opts host.ContainerOptions, started func(host.Container) error, sink host.Sink) (*host.End, error) {
	return c.RunAttached(ctx, opts, host.Attachment{Started: started, Output: sink})
}

// RunAttached makes a container, gives its output to a caller until it has ended,
// and gives its end; see [host.Host.RunAttached]. An error after Started was
// called leaves the container running.
func (c *Client) RunAttached(ctx context.Context, opts host.ContainerOptions, to host.Attachment) (end *host.End, err error) {
	req := requestOf(identified(opts))
	f := follower{opts: host.LogOptions{From: host.Cursor{Attempt: 1}, Tail: -1, Dropped: to.Dropped}, sink: to.Output}
	id := ""
	err = c.persist(ctx, func() error {
		if id != "" {
			return f.follow(ctx, c, http.MethodGet, "/v1/containers/"+id+"/attach?"+logQuery(f.opts), nil)
		}
		f.started = func(made host.Container) error {
			id = made.ID
			if to.Started == nil {
				return nil
			}
			return to.Started(made)
		}
		return f.follow(ctx, c, http.MethodPost, "/v1/containers?attach=true", req)
	})
	return f.ended(err)
}

// Attach gives the output of an attempt to sink until it has ended, and then its
// end; see [host.Host.Attach].
func (c *Client) Attach(ctx context.Context, reference string, opts host.LogOptions, sink host.Sink) (*host.End, error) {
	path, err := containerPath(reference)
	if err != nil {
		return nil, err
	}
	f := follower{opts: opts, sink: sink}
	err = c.persist(ctx, func() error {
		return f.follow(ctx, c, http.MethodGet, path+"/attach?"+logQuery(f.opts), nil)
	})
	return f.ended(err)
}

// Logs gives the output of a container to sink; see [host.Host.Logs].
func (c *Client) Logs(ctx context.Context, reference string, opts host.LogOptions, sink host.Sink) error {
	path, err := containerPath(reference)
	if err != nil {
		return err
	}
	f := follower{opts: opts, sink: sink}
	return c.persist(ctx, func() error {
		return f.follow(ctx, c, http.MethodGet, path+"/logs?"+logQuery(f.opts), nil)
	})
}

// follower takes output over as many connections as it needs.
type follower struct {
	// opts ask for what has not come yet.
	opts    host.LogOptions
	sink    host.Sink
	started func(host.Container) error
	end     *host.End
	// within tells which streams stopped within a line, cut which of them begin
	// anew there, with a timestamp that is in the way.
	within, cut [host.Stderr + 1]bool
}

// follow makes a request for output and takes the answer.
func (f *follower) follow(ctx context.Context, c *Client, method, path string, in any) error {
	f.cut = f.within
	resp, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return c.read(ctx, method, resp.Body, f.take, f.control)
}

func (f *follower) control(m message) error {
	switch {
	case m.Container != nil && f.started != nil:
		return f.started(*m.Container)
	case m.Cursor != nil:
		// From here on, the place says what these have said.
		f.opts.From = *m.Cursor
		f.opts.Tail, f.opts.Since = -1, time.Time{}
		if f.opts.Begun != nil {
			begun := f.opts.Begun
			f.opts.Begun = nil
			return begun(*m.Cursor)
		}
	case m.Dropped != nil:
		f.forward(m.Dropped.Stream, m.Dropped.Bytes)
		f.within[m.Dropped.Stream], f.cut[m.Dropped.Stream] = false, false
		if f.opts.Dropped != nil {
			return f.opts.Dropped(m.Dropped.Stream, m.Dropped.Bytes)
		}
	case m.End != nil:
		f.end = m.End
	}
	return nil
}

// take gives data on and notes how far they reach.
func (f *follower) take(s host.Stream, data []byte) error {
	const stamp = len(host.TimestampLayout)
	if f.cut[s] {
		data = data[min(len(data), stamp):]
		f.cut[s] = false
	}
	f.forward(s, int64(len(data)))
	if f.opts.Timestamps {
		for line := range bytes.Lines(data) {
			if !f.within[s] {
				f.forward(s, -int64(stamp))
			}
			f.within[s] = line[len(line)-1] != '\n'
		}
	}
	if f.sink == nil {
		return nil
	}
	return f.sink(s, data)
}

func (f *follower) forward(s host.Stream, n int64) {
	if s == host.Stderr {
		f.opts.From.Stderr += n
	} else {
		f.opts.From.Stdout += n
	}
}

// ended gives the end that came, or why there is none.
func (f *follower) ended(err error) (*host.End, error) {
	if err == nil && f.end == nil {
		err = executor.Errorf(executor.Internal, "the host's answer ended without the container's end")
	}
	return f.end, err
}
