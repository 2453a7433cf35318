package containers

import (
	"context"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/pipes"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// RunStreams makes a container, attaches the caller to its input and output until its first
// attempt has ended, and returns the end of that. The container runs on when ctx ends. client
// is that of [api.AttachOptions].
func (m *Manager) RunStreams(ctx context.Context, opts api.ContainerOptions, client string, to api.Streams) (*api.End, error) {
	if opts.NoStart {
		return nil, executor.Errorf(executor.Invalid, "what is not started has no streams to attach to; create it, and start it later")
	}
	c, unpin, err := m.create(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer unpin()
	return m.attachStreams(ctx, executor.Ref{ID: c.ID, Attempt: 1}, api.AttachOptions{Client: client}, to)
}

// AttachStreams attaches the caller to the input and output of an attempt of a container
// until that has ended, and returns its end. With Start it starts the attempt, unless that
// was done. Otherwise it waits for an attempt to come; the present one must run. The
// container runs on when ctx ends. Several callers may be attached.
func (m *Manager) AttachStreams(ctx context.Context, reference string, opts api.AttachOptions, to api.Streams) (*api.End, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	ref := executor.Ref{ID: c.ID, Attempt: opts.Attempt}
	switch {
	case opts.Attempt == 0 && opts.Start:
		ref.Attempt = c.Attempt + 1
	case opts.Attempt == 0 && ended(c) && c.State != store.Created:
		return nil, executor.Errorf(executor.FailedPrecondition, "container %s is not running; start it, or see its logs", reference)
	case opts.Attempt == 0:
		ref.Attempt = max(c.Attempt, 1)
	}
	defer m.pin(ref.ID)()
	if opts.Start {
		if err := m.startAttempt(ctx, ref); err != nil {
			return nil, err
		}
	}
	return m.attachStreams(ctx, ref, opts, to)
}

// startAttempt starts an attempt, unless it was started.
func (m *Manager) startAttempt(ctx context.Context, ref executor.Ref) error {
	var state store.State
	due := false
	err := m.nextAttempt(ctx, ref.ID, func(now *store.Container) bool {
		state = now.State
		due = ended(now) && now.Desired != store.WantRemoved
		if now.Attempt >= ref.Attempt {
			due = true
			return false
		}
		now.Desired, now.Failures, now.Restarts = store.WantRunning, 0, -1
		return due
	})
	if err == nil && !due {
		err = executor.Errorf(executor.FailedPrecondition, "container %s is %s", ref.ID, state)
	}
	return err
}

// attachStreams serves a client until an attempt has ended.
func (m *Manager) attachStreams(ctx context.Context, ref executor.Ref, opts api.AttachOptions, to api.Streams) (*api.End, error) {
	c, err := m.awaitStarted(ctx, ref)
	if err != nil {
		return nil, err
	}
	files := m.files(c, ref)
	progress, done, err := m.clientProgress(ctx, filepath.Dir(files.Stdout), opts.Client)
	if err != nil {
		return nil, err
	}
	defer done()
	view, err := m.Inspect(ref.ID)
	if err != nil {
		return nil, err
	}
	begun := api.StreamsBegun{Container: &view, InputClosed: c.InputClosed && c.Attempt == ref.Attempt}
	v := &conversation{
		manager: m, ref: ref, backend: c.Backend, stdio: c.Stdio, stdin: files.Stdin, progress: progress, to: to,
		keepInput: opts.KeepInput || c.Stdio.KeepInput,
	}
	logs := api.LogOptions{Attempt: ref.Attempt, From: to.From, Follow: true, Dropped: to.Dropped}
	logs.From.Attempt = ref.Attempt
	if opts.Now {
		logs.Tail = new(0)
	}
	err = v.run(ctx, func(ctx context.Context, begin func(api.StreamsBegun) error) error {
		logs.Begun = func(at api.Cursor) error {
			begun.Cursor = at
			return begin(begun)
		}
		return m.logAttempt(ctx, c, ref.Attempt, logs, v.output)
	})
	if err != nil {
		return nil, err
	}
	return m.WaitAttempt(ctx, ref.ID, ref.Attempt)
}

// awaitStarted waits until an attempt was started, and returns the record. The error for one
// that could not be is [executor.FailedPrecondition].
func (m *Manager) awaitStarted(ctx context.Context, ref executor.Ref) (*store.Container, error) {
	for {
		changed := m.store.Changed()
		c, err := m.record(ref.ID)
		switch {
		case err != nil:
			return nil, err
		case c.Attempt > ref.Attempt:
			return c, nil
		case c.Attempt == ref.Attempt && c.State == store.Failed:
			return nil, failed(c)
		case c.Attempt == ref.Attempt && c.State != store.Creating:
			return c, nil
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return nil, err
		}
	}
}

// clientProgress opens the file that has how much of a client's input a container was given.
// done closes it, and removes it if the client does not come back.
func (m *Manager) clientProgress(ctx context.Context, dir, client string) (_ *pipes.Progress, done func(), err error) {
	if client == "" {
		client = newID()
	}
	for _, r := range client {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') || len(client) > executor.MaxIDLength {
			return nil, nil, executor.Errorf(executor.Invalid, "%q does not name a client: use up to %d letters and digits", client, executor.MaxIDLength)
		}
	}
	path := filepath.Join(dir, "client-"+client)
	p, err := pipes.OpenProgress(path)
	if err != nil {
		return nil, nil, err
	}
	return p, func() {
		_ = p.Close()
		if m.ctx.Err() == nil && !api.Stopping(ctx) {
			_ = os.Remove(path)
		}
	}, nil
}
