package host

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// askTimeout bounds what a backend is asked that changes nothing. Seen:
// milliseconds; a check may have to start programs.
const askTimeout = 20 * time.Second

// Create makes a container and starts it. What is wrong with opts is found before
// anything is made. A container that then cannot be started stays, in state
// failed, unless AutoRemove is set.
func (h *Host) Create(ctx context.Context, opts ContainerOptions) (Container, error) {
	c, release, err := h.create(ctx, opts)
	if err == nil {
		release()
	}
	return c, err
}

// create is Create, and holds the container until release is called.
func (h *Host) create(ctx context.Context, opts ContainerOptions) (_ Container, release func(), _ error) {
	record, err := h.requested(opts.RequestID)
	if err != nil {
		return Container{}, nil, err
	}
	var spec json.RawMessage
	var session *supervisor.Session
	existing := record != nil
	if !existing {
		if record, spec, session, err = h.prepare(ctx, opts); err != nil {
			return Container{}, nil, err
		}
		if record, existing, err = h.intend(ctx, record, spec); err != nil {
			return Container{}, nil, err
		}
	}
	_ = failpoint.Hit("host.create.recorded")
	release = h.hold(record.ID)
	if existing {
		err = h.awaitStart(ctx, record.ID)
	} else {
		err = h.startFirst(ctx, session, record, spec)
	}
	var c Container
	if err == nil {
		c, err = h.Inspect(record.ID)
	}
	if err != nil {
		release()
		return Container{}, nil, err
	}
	return c, release, nil
}

// requested gives the container that a request made, or nil.
func (h *Host) requested(requestID string) (c *store.Container, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		c, err = tx.ContainerByRequest(requestID)
		return err
	})
	if errors.Is(err, executor.NotFound) {
		return nil, nil
	}
	return c, err
}

// intend records a container that is to be started, or gives the one that the same
// request made meanwhile.
func (h *Host) intend(ctx context.Context, c *store.Container, spec json.RawMessage) (_ *store.Container, existing bool, err error) {
	err = h.store.Update(ctx, func(tx *store.Tx) error {
		if h.isDraining() {
			return errDraining()
		}
		made, err := tx.ContainerByRequest(c.RequestID)
		if !errors.Is(err, executor.NotFound) {
			c, existing = made, true
			return err
		}
		if err := tx.CreateContainer(c, spec); err != nil {
			return err
		}
		return appendEvent(tx, EventCreated, c, nil)
	})
	return c, existing, err
}

// awaitStart waits until a container has been started the first time, by the
// request that made it, and gives the error of that.
func (h *Host) awaitStart(ctx context.Context, id string) error {
	for {
		changed := h.store.Changed()
		c, err := h.record(id)
		switch {
		case err != nil:
			return err
		case c.Attempt > 1:
			return nil
		case c.State == store.Failed:
			return &executor.Error{Code: cmp.Or(c.ErrorCode, executor.Internal), Message: c.Error}
		case c.State != store.Creating:
			return nil
		}
		if err := h.awaitChange(ctx, changed); err != nil {
			return err
		}
	}
}

// awaitChange waits for a change of the store.
func (h *Host) awaitChange(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-h.ctx.Done():
		return errClosing()
	}
}

// errClosing ends what waits for something when the host closes.
func errClosing() error { return executor.Errorf(executor.Unavailable, "the host is closing") }

// prepare checks opts and makes the record and the spec. It changes nothing.
func (h *Host) prepare(ctx context.Context, opts ContainerOptions) (*store.Container, json.RawMessage, *supervisor.Session, error) {
	fail := func(err error) (*store.Container, json.RawMessage, *supervisor.Session, error) {
		return nil, nil, nil, err
	}
	if opts.Name != "" {
		if err := ocispec.ValidateName(opts.Name); err != nil {
			return fail(err)
		}
	}
	backend, _, err := h.pickBackend(opts.Backend)
	if err != nil {
		return fail(err)
	}
	restart, err := ParseRestartPolicy(opts.Restart)
	if err != nil {
		return fail(err)
	}
	if restart.Name != "" && opts.AutoRemove {
		return fail(executor.Errorf(executor.Invalid, "a container with a restart policy (%s) cannot be removed automatically; use one or the other", opts.Restart))
	}
	id := newID()
	if opts.Rootfs != "" && opts.Process.Hostname == "" {
		opts.Process.Hostname = id
	}
	if n := opts.OutputMax; n < -1 || n > 0 && n < config.MinOutput {
		return fail(executor.Errorf(executor.Invalid, "output limit %d: at least %d bytes are kept of a stream; -1 is no limit", n, config.MinOutput))
	}
	spec, command, err := makeSpec(opts)
	if err != nil {
		return fail(err)
	}
	session, runtime, err := h.resolve(ctx, backend, opts.Runtime)
	if err != nil {
		return fail(err)
	}
	return &store.Container{
		ID: id, Name: opts.Name, RequestID: opts.RequestID,
		Backend: backend, Runtime: runtime, Command: command,
		Labels: opts.Labels, AutoRemove: opts.AutoRemove, Restart: restart,
		StopSignal: opts.StopSignal, StopTimeout: opts.StopTimeout,
		Stdio:     store.Stdio{Merged: opts.MergeOutput, MaxBytes: opts.OutputMax},
		CreatedAt: time.Now(),
		Attempt:   1, Desired: store.WantRunning, State: store.Creating,
	}, spec, session, nil
}

// resolve gives a session and the runtime behind a name. To ask changes nothing, so
// when the executor dies meanwhile the next one is asked.
func (h *Host) resolve(ctx context.Context, backend, name string) (*supervisor.Session, executor.Runtime, error) {
	for {
		session, err := h.session(ctx, backend)
		if err != nil {
			return nil, executor.Runtime{}, err
		}
		runtime, err := h.ask(ctx, session, backend, name)
		if err == nil || !session.Ended() {
			return session, runtime, err
		}
		if _, err := h.nextSession(ctx, backend, 50*time.Millisecond); err != nil {
			return nil, executor.Runtime{}, err
		}
	}
}

// ask resolves a runtime in a limited time.
func (h *Host) ask(ctx context.Context, session *supervisor.Session, backend, name string) (executor.Runtime, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	runtime, err := resolveRuntime(ctx, session, backend, name)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		h.unlessHung(ctx, session, backend)
	}
	return runtime, err
}

func resolveRuntime(ctx context.Context, session *supervisor.Session, backend, name string) (executor.Runtime, error) {
	if slices.Contains(session.Capabilities, executor.CapRuntimeResolve) {
		return session.ResolveRuntime(ctx, name)
	}
	if name != "" {
		return executor.Runtime{}, executor.Errorf(executor.Unsupported, "runtime %q: backend %s (executor %s) has no runtimes to choose from", name, backend, session.Description.Name)
	}
	return executor.Runtime{}, nil
}

// newID makes an id of 16 hex digits, 64 random bits.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
