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

// createTimeout bounds Create on a backend. Seen: 50 ms; a loaded machine may
// take many seconds.
const createTimeout = 2 * time.Minute

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
		if _, err := h.nextSession(ctx, backend); err != nil {
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

// startFirst is start for an attempt that was not tried before. If its outcome
// stays unknown, that is looked after from then on.
func (h *Host) startFirst(ctx context.Context, session *supervisor.Session, record *store.Container, spec json.RawMessage) error {
	err := h.start(ctx, session, record, spec, false)
	if errors.Is(err, executor.OutcomeUnknown) {
		h.background(func() { h.startAgain(session, record) })
	}
	return err
}

// start runs the present attempt of a record whose intent is on disk, and
// records what came of it. When the executor dies meanwhile the next one is asked
// again, since Create is idempotent. An error whose outcome is unknown leaves the
// record as it is, for reconcile to find out. again says that there was such an
// outcome before.
func (h *Host) start(ctx context.Context, session *supervisor.Session, record *store.Container, spec json.RawMessage, again bool) error {
	// A reconcile may repeat a start that a caller is still waiting for. Whoever
	// comes second finds the outcome of the first.
	defer h.turn(record.ID)()
	now, err := h.record(record.ID)
	switch {
	case err != nil:
		return err
	case now.Attempt == record.Attempt && now.State == store.Failed:
		return failed(now)
	case now.Attempt != record.Attempt || now.State != store.Creating:
		return nil
	}
	ref := record.Ref()
	files, err := h.output.Create(ref, record.Stdio.Merged)
	if b := h.backends[record.Backend]; err == nil && b != nil && b.config.User != "" {
		var user supervisor.User
		if user, err = b.owner(); err == nil {
			err = h.output.Give(ref, record.Stdio.Merged, user.UID, user.GID)
		}
	}
	if err == nil {
		err = h.track(record)
	}
	if err == nil {
		err = failpoint.Hit("host.start.output")
	}
	if err != nil {
		return h.failStart(record, err)
	}
	// A caller who hangs up must not undo a start that may already have happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	for ; ; again = true {
		status, err := session.Create(ctx, executor.Workload{Ref: ref, Spec: spec, Runtime: record.Runtime, Stdio: files.Stdio(h.outputMax(record))})
		_ = failpoint.Hit("host.start.answered")
		if err == nil {
			return h.recordRunning(ctx, status)
		}
		// What is not available now cannot tell what became of the try before.
		unknown := errors.Is(err, executor.OutcomeUnknown) || again && errors.Is(err, executor.Unavailable)
		if !unknown && !session.Ended() {
			return h.failStart(record, err)
		}
		h.logger.Warn("start was interrupted", "container", record.ID, "backend", record.Backend, "error", err)
		h.unlessHung(ctx, session, record.Backend)
		var down error
		if session, down = h.nextSession(ctx, record.Backend); down != nil {
			return executor.Errorf(executor.OutcomeUnknown, "container %s: %w; it is looked after as soon as backend %s answers", record.ID, err, record.Backend)
		}
	}
}

// unlessHung ends a session on which a call has got no answer in its time, ctx's.
// The executor answers others, or it would have been found to hang, but what it has
// for this container nobody can work on any more. The next one can.
func (h *Host) unlessHung(ctx context.Context, session *supervisor.Session, backend string) {
	if ctx.Err() == nil || h.ctx.Err() != nil || session.Ended() {
		return
	}
	h.logger.Error("the executor does not answer a call and is replaced", "backend", backend)
	_ = session.Close()
}

// nextSession gives a session for one more try, after a short pause.
func (h *Host) nextSession(ctx context.Context, backend string) (*supervisor.Session, error) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.ctx.Done():
		return nil, h.ctx.Err()
	}
	return h.session(ctx, backend)
}

// turn waits until nobody else starts the container, and gives the function that
// ends our turn.
func (h *Host) turn(id string) (end func()) {
	for {
		h.mu.Lock()
		before := h.starting[id]
		if before == nil {
			ours := make(chan struct{})
			h.starting[id] = ours
			h.mu.Unlock()
			return func() {
				h.mu.Lock()
				delete(h.starting, id)
				h.mu.Unlock()
				close(ours)
			}
		}
		h.mu.Unlock()
		<-before
	}
}

// recordRunning records that an attempt runs, unless its end is known already.
func (h *Host) recordRunning(ctx context.Context, status executor.Status) error {
	if status.State.Ended() {
		return nil // its Exited comes, or has come
	}
	if c, err := h.record(status.Ref.ID); err == nil && c.Attempt == status.Ref.Attempt &&
		c.State == store.State(status.State) && c.PID == status.PID && c.StartedAt.Equal(status.StartedAt) {
		return nil // as it was
	}
	err := h.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(status.Ref.ID)
		if err != nil {
			return err
		}
		if c.Attempt != status.Ref.Attempt || c.State == store.Exited || ended(c) {
			return nil
		}
		started := c.State == store.Creating
		c.State, c.PID, c.StartedAt = store.State(status.State), status.PID, status.StartedAt
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		if !started {
			return nil
		}
		return appendEvent(tx, EventStarted, c, nil)
	})
	_ = failpoint.Hit("host.start.recorded")
	return err
}

// failStart records that an attempt could not be started, and gives the reason
// back. Nothing of it is left on the backend.
func (h *Host) failStart(record *store.Container, reason error) error {
	ctx := context.WithoutCancel(h.ctx)
	_ = failpoint.Hit("host.fail.begin")
	h.tracker.Remove(record.Ref())
	if record.AutoRemove {
		err := h.forget(ctx, record.ID)
		h.announce(record.Ref(), nil)
		return errors.Join(reason, err)
	}
	err := h.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(record.ID)
		if err != nil {
			return err
		}
		c.State, c.Error, c.ErrorCode = store.Failed, reason.Error(), executor.CodeOf(reason)
		if c.Attempt > 1 { // it has run before: its policy goes on
			planRestart(c, true)
		}
		if c.RestartAt.IsZero() {
			c.Desired = store.WantStopped
		}
		record = c
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		return appendEvent(tx, EventFailed, c, map[string]string{"error": reason.Error()})
	})
	_ = failpoint.Hit("host.fail.recorded")
	h.announce(record.Ref(), nil)
	if err == nil && !record.RestartAt.IsZero() {
		h.scheduleRestart(record)
	}
	return errors.Join(reason, err)
}
