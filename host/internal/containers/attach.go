package containers

import (
	"cmp"
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// Run makes a container, copies its output to sink until it has ended, and returns
// its end; see [Manager.RunAttached]. started and sink may be nil.
func (m *Manager) Run(ctx context.Context, opts api.ContainerOptions, started func(api.Container) error, sink api.Sink) (*api.End, error) {
	return m.RunAttached(ctx, opts, api.Attachment{Started: started, Output: sink})
}

// RunAttached makes a container, copies its output to the caller until the first
// attempt has ended, and returns the end of that attempt. A restart policy goes on
// afterwards, as it does after Docker's run. The container runs on when ctx ends.
// An automatic removal waits for RunAttached to return.
//
// A request that is repeated is attached to the container that it made the first
// time.
func (m *Manager) RunAttached(ctx context.Context, opts api.ContainerOptions, to api.Attachment) (*api.End, error) {
	if opts.NoStart {
		return nil, executor.Errorf(executor.Invalid, "what is not started has no output to attach to; create it, and start it later")
	}
	c, unpin, err := m.create(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer unpin()
	if to.Started != nil {
		if err := to.Started(c); err != nil {
			return nil, err
		}
	}
	return m.attach(ctx, c.ID, api.LogOptions{Attempt: 1, Dropped: to.Dropped}, to.Output)
}

// Attach copies the output of an attempt to sink until the attempt has ended, and
// returns its end: what RunAttached does once the container runs. It sets Follow in
// opts. An automatic removal waits for Attach to return.
func (m *Manager) Attach(ctx context.Context, reference string, opts api.LogOptions, sink api.Sink) (*api.End, error) {
	ref, err := m.attempt(reference, cmp.Or(opts.Attempt, opts.From.Attempt))
	if err != nil {
		return nil, err
	}
	defer m.pin(ref.ID)()
	opts.Attempt = ref.Attempt
	return m.attach(ctx, ref.ID, opts, sink)
}

func (m *Manager) attach(ctx context.Context, id string, opts api.LogOptions, sink api.Sink) (*api.End, error) {
	if sink != nil {
		opts.Follow = true
		if err := m.Logs(ctx, id, opts, sink); err != nil {
			return nil, err
		}
	}
	return m.WaitAttempt(ctx, id, opts.Attempt)
}
