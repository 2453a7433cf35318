package host

import "context"

// Attachment is what a caller gets of a container that runs in the foreground.
type Attachment struct {
	// Started, if not nil, is called once the container runs, before all else.
	Started func(Container) error
	// Output gets the output; nil leaves it out.
	Output Sink
	// Dropped, if not nil, is told of output that is not kept any more: the
	// container wrote faster than Output took it, and came to its limit.
	Dropped func(s Stream, bytes int64) error
}

// Run makes a container, gives its output to sink until it has ended, and gives
// its end; see [Host.RunAttached]. started and sink may be nil.
func (h *Host) Run(ctx context.Context, opts ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
	return h.RunAttached(ctx, opts, Attachment{Started: started, Output: sink})
}

// RunAttached makes a container, gives its output to a caller until its first
// attempt has ended, and gives the end of that. A restart policy goes on
// afterwards, as it does after Docker's run. When ctx ends the container runs on.
// An automatic removal waits for RunAttached to return.
//
// A request that was made before gives the output and the end of the container
// that it made then.
func (h *Host) RunAttached(ctx context.Context, opts ContainerOptions, to Attachment) (*End, error) {
	c, release, err := h.create(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer release()
	if to.Started != nil {
		if err := to.Started(c); err != nil {
			return nil, err
		}
	}
	return h.attach(ctx, c.ID, LogOptions{From: Cursor{Attempt: 1}, Tail: -1, Dropped: to.Dropped}, to.Output)
}

// Attach gives the output of an attempt to sink until it has ended, and then its
// end: what RunAttached does once the container runs. Follow is set. An automatic
// removal waits for Attach to return.
func (h *Host) Attach(ctx context.Context, reference string, opts LogOptions, sink Sink) (*End, error) {
	ref, err := h.attempt(reference, opts.From.Attempt)
	if err != nil {
		return nil, err
	}
	defer h.hold(ref.ID)()
	opts.From.Attempt = ref.Attempt
	return h.attach(ctx, ref.ID, opts, sink)
}

func (h *Host) attach(ctx context.Context, id string, opts LogOptions, sink Sink) (*End, error) {
	if sink != nil {
		opts.Follow = true
		if err := h.Logs(ctx, id, opts, sink); err != nil {
			return nil, err
		}
	}
	return h.WaitAttempt(ctx, id, opts.From.Attempt)
}
