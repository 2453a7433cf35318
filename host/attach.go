package host

import (
	"context"

	"github.com/davit-run/davit/host/api"
)

// RunStreams makes a container, attaches the caller to its input and output until its first
// attempt has ended, and returns the end of that. The container runs on when ctx ends. client
// is that of [api.AttachOptions].
func (h *Host) RunStreams(ctx context.Context, opts api.ContainerOptions, client string, to api.Streams) (*api.End, error) {
	return h.containers.RunStreams(ctx, opts.Located(), client, to)
}

// AttachStreams attaches the caller to the input and output of an attempt of a container
// until that has ended, and returns its end. With Start it starts the attempt, unless that
// was done. Otherwise it waits for an attempt to come; the present one must run. The
// container runs on when ctx ends. Several callers may be attached.
func (h *Host) AttachStreams(ctx context.Context, reference string, opts api.AttachOptions, to api.Streams) (*api.End, error) {
	return h.containers.AttachStreams(ctx, reference, opts, to)
}
