package containers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/volumes"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
	"github.com/davit-run/davit/shared/transport"
)

// Create makes a container and starts it, unless NoStart is set. It checks opts before it
// makes anything. A container that then cannot be started stays, in state failed, unless
// AutoRemove is set.
func (m *Manager) Create(ctx context.Context, opts api.ContainerOptions) (api.Container, error) {
	c, unpin, err := m.create(ctx, opts)
	if err == nil {
		unpin()
	}
	return c, err
}

// create does what Create does, and pins the container until unpin is called.
func (m *Manager) create(ctx context.Context, opts api.ContainerOptions) (c api.Container, unpin func(), err error) {
	id := newContainerID()
	err = m.carryOn(id, func() (err error) {
		c, unpin, err = m.createAs(ctx, id, opts)
		return err
	})
	return c, unpin, err
}

// createAs makes the container id, unless the same request has made another one.
func (m *Manager) createAs(ctx context.Context, id string, opts api.ContainerOptions) (_ api.Container, unpin func(), _ error) {
	record, err := m.requested(opts.RequestID)
	if err != nil {
		return api.Container{}, nil, err
	}
	var spec json.RawMessage
	var session *backends.Session
	existing := record != nil
	if !existing {
		if record, spec, session, existing, err = m.make(ctx, id, opts); err != nil {
			return api.Container{}, nil, err
		}
		if !existing {
			m.keepSpec(record.ID, spec)
			m.keepCopy(record.ID)
		}
	}
	release, pinned := m.pin(record.ID), false
	defer func() {
		if !pinned {
			release()
		}
	}()
	switch {
	case existing:
		err = m.awaitStart(ctx, record.ID)
	case !opts.NoStart:
		err = m.startFirst(ctx, session, record, spec)
	}
	var c api.Container
	if err == nil {
		c, err = m.Inspect(record.ID)
	}
	if err != nil {
		return api.Container{}, nil, err
	}
	pinned = true
	return c, release, nil
}

// make binds the ports and makes the root file system, the volumes and the record of a
// container that is to be started. If the same request has made one meanwhile, it returns that
// one. If it fails, nothing is left.
func (m *Manager) make(ctx context.Context, id string, opts api.ContainerOptions) (record *store.Container, spec json.RawMessage, session *backends.Session, existing bool, err error) {
	ctx, span := trace.Start(ctx, "make")
	span.Set("davit.container", id)
	defer func() { span.End(err) }()
	if err := m.mountOthers(&opts); err != nil {
		return nil, nil, nil, false, err
	}
	bound, err := m.reservePorts(ctx, id, &opts, nil)
	if err != nil {
		return nil, nil, nil, false, err
	}
	defer func() {
		if err != nil || existing {
			m.freePorts(id)
		}
	}()
	image, err := m.makeRoot(ctx, id, &opts)
	if err != nil {
		return nil, nil, nil, false, err
	}
	if bound, err = m.reservePorts(ctx, id, &opts, bound); err != nil { // the image may have added some
		return nil, nil, nil, false, errors.Join(err, m.images.Roots().Remove(id))
	}
	use, err := m.makeVolumes(ctx, &opts, image != nil)
	if err == nil {
		defer func() { use.Release(err) }()
		record, spec, session, err = m.prepare(ctx, id, opts)
	}
	if err == nil {
		record.Image, record.Volumes, record.Ports = image, use.Volumes, bound
		record, existing, err = m.recordIntent(ctx, record, spec, use)
	}
	// If it is not known whether it was recorded, the next host knows.
	if existing || err != nil && !errors.Is(err, executor.OutcomeUnknown) {
		if rerr := m.images.Roots().Remove(id); rerr != nil {
			m.logger.Warn("the root file system of a container that is not made was not removed", "container", id, "error", rerr)
		}
	}
	return record, spec, session, existing, err
}

// requested returns the container that a request made, or nil.
func (m *Manager) requested(requestID string) (c *store.Container, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		c, err = tx.ContainerByRequest(requestID)
		return err
	})
	if errors.Is(err, executor.NotFound) {
		return nil, nil
	}
	return c, err
}

// recordIntent records a container that is to be started, its volumes and its addresses. If
// the same request has made one meanwhile, it returns that one.
func (m *Manager) recordIntent(ctx context.Context, c *store.Container, spec json.RawMessage, use *volumes.Use) (_ *store.Container, existing bool, err error) {
	ctx, span := trace.Start(ctx, "intent")
	defer func() { span.End(err) }()
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		if m.isDraining() {
			return errDraining()
		}
		made, err := tx.ContainerByRequest(c.RequestID)
		if !errors.Is(err, executor.NotFound) {
			c, existing = made, true
			return err
		}
		if err := m.networks.Lease(tx, c); err != nil {
			return err
		}
		if err := errors.Join(use.Record(tx), tx.CreateContainer(c, spec)); err != nil {
			return err
		}
		return appendEvent(tx, api.EventCreated, c, networkData(c))
	})
	return c, existing, err
}

// awaitStart waits until the request that made a container has started it for the first
// time, and returns the error of that start.
func (m *Manager) awaitStart(ctx context.Context, id string) error {
	for {
		changed := m.store.Changed()
		c, err := m.record(id)
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
		if err := m.awaitChange(ctx, changed); err != nil {
			return err
		}
	}
}

// awaitChange waits for a change of the store.
func (m *Manager) awaitChange(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return errClosing()
	}
}

// errClosing returns the error for callers that wait while the host closes.
func errClosing() error { return executor.Errorf(executor.Unavailable, "the host is closing") }

// prepare checks opts and makes the record and the spec. It writes nothing, but makes the
// network default if that is needed.
func (m *Manager) prepare(ctx context.Context, id string, opts api.ContainerOptions) (*store.Container, json.RawMessage, *backends.Session, error) {
	fail := func(err error) (*store.Container, json.RawMessage, *backends.Session, error) {
		return nil, nil, nil, err
	}
	if err := opts.Validate(); err != nil {
		return fail(err)
	}
	if opts.Name != "" {
		if err := ocispec.ValidateName(opts.Name); err != nil {
			return fail(err)
		}
	}
	picked, err := m.backends.Pick(opts.Backend)
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
	if opts.Rootfs != "" && opts.Process.Hostname == "" && opts.Process.UTS != ocispec.NamespaceHost {
		opts.Process.Hostname = api.ShortID(id)
	}
	if n := opts.OutputMax; n < -1 || n > 0 && n < config.MinOutput {
		return fail(executor.Errorf(executor.Invalid, "output limit %d: at least %d bytes are kept of a stream; -1 is no limit", n, config.MinOutput))
	}
	if opts.StartTimeout < 0 {
		return fail(executor.Errorf(executor.Invalid, "start timeout %s: give more than 0; 0 is the backend's default", opts.StartTimeout))
	}
	backendConfig := picked.Config()
	leases, joined, err := m.useNetwork(ctx, id, &opts, backendConfig.Defaults.Network)
	if err != nil {
		return fail(err)
	}
	if err := m.useSharing(id, &opts); err != nil {
		return fail(err)
	}
	names, err := namesFor(opts, leases)
	if err != nil {
		return fail(err)
	}
	spec, command, err := makeSpec(opts, backendConfig.Defaults, m.etcDir(id))
	if err == nil && m.limits.Load().ForbidHooks {
		err = checkHooks(spec)
	}
	if err != nil {
		return fail(err)
	}
	backend := backendConfig.Name
	runtime, err := m.resolve(ctx, backend, opts.Runtime)
	if err != nil {
		return fail(err)
	}
	session, err := m.backends.Session(ctx, backend)
	if err != nil {
		return fail(err)
	}
	stdio := store.Stdio{Merged: opts.MergeOutput, MaxBytes: opts.OutputMax, Stdin: opts.Stdin, KeepInput: opts.KeepInput, Terminal: opts.Terminal}
	if err := session.Require(m.outputs.Files(executor.Ref{ID: id, Attempt: 1}, m.layoutOf(stdio)).Stdio().Needs()); err != nil {
		return fail(err)
	}
	check, err := prepareHealth(opts.HealthCheck, session)
	if err != nil {
		return fail(err)
	}
	attempt, desired, state := 1, store.WantRunning, store.Creating
	if opts.NoStart {
		attempt, desired, state = 0, store.WantStopped, store.Created
	}
	return &store.Container{
		ID: id, Name: opts.Name, RequestID: opts.RequestID,
		Backend: backend, Runtime: runtime, Command: command,
		Network: opts.Network, Leases: leases, Joined: joined, Alone: m.isAlone(id, opts), Names: names, Publish: opts.Publish,
		PIDMode: opts.Process.PID, IPCMode: opts.Process.IPC, ShmBytes: opts.Process.ShmBytes,
		Labels: opts.Labels, AutoRemove: opts.AutoRemove, Restart: restart,
		StopSignal: opts.StopSignal, StopTimeout: opts.StopTimeout, StartTimeout: opts.StartTimeout,
		Stdio: stdio, HealthCheck: check, CreatedAt: time.Now(),
		Attempt: attempt, Desired: desired, State: state,
	}, spec, session, nil
}

// resolve returns the runtime behind a name.
func (m *Manager) resolve(ctx context.Context, backend, name string) (executor.Runtime, error) {
	session, err := m.backends.Session(ctx, backend)
	if err != nil {
		return executor.Runtime{}, err
	}
	if session.Offers(executor.CapRuntimeResolve) {
		return backends.Call(ctx, m.backends, backend, transport.MethodRuntimeResolve, name)
	}
	if name != "" {
		return executor.Runtime{}, executor.Errorf(executor.Unsupported, "runtime %q: backend %s (executor %s) has no runtimes to choose from", name, backend, session.Description.Name)
	}
	return executor.Runtime{}, nil
}
