package containers

import (
	"cmp"
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// killWait is how long a container may take to end after SIGKILL.
const killWait = 30 * time.Second

// records returns the records of all containers.
func (m *Manager) records() (all []*store.Container, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		all, err = tx.Containers()
		return err
	})
	return all, err
}

// record returns the record behind a reference.
func (m *Manager) record(reference string) (c *store.Container, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		c, err = tx.Find(reference)
		return err
	})
	return c, err
}

// Kill sends a signal to a container's first process. The error for a container that
// does not run is [executor.FailedPrecondition].
func (m *Manager) Kill(ctx context.Context, reference string, sig executor.Signal) error {
	_, err := Act(ctx, m, reference, transport.MethodSignal, Action[transport.SignalRequest]{
		Request: func(ref executor.Ref) transport.SignalRequest { return transport.SignalRequest{Ref: ref, Signal: sig} },
	})
	return err
}

// Stop sends a container its stop signal, kills it if it has not ended in time, and waits for
// its end. Stopping a container that has ended does nothing. One that is being created has
// the timeout to come to run; then its start is cut short and undone. The error is an
// [api.PendingError] if the backend does not answer: it is stopped later.
func (m *Manager) Stop(ctx context.Context, reference string, opts api.StopOptions) error {
	if err := opts.Validate(); err != nil {
		return err
	}
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	return m.carryOn(c.ID, func() error {
		if c, err = m.setDesired(ctx, c.ID, store.WantStopped); err != nil || ended(c) {
			return err
		}
		if err := m.stop(ctx, c, opts); err != nil {
			return m.pending(ctx, c, "stop", err)
		}
		return nil
	})
}

// stop ends the present attempt of a container.
func (m *Manager) stop(ctx context.Context, c *store.Container, opts api.StopOptions) error {
	sig := cmp.Or(opts.Signal, c.StopSignal, syscall.SIGTERM)
	timeout := stopTimeout(c, opts.Within())
	if c.State == store.Creating {
		if err := m.awaitOutcome(ctx, c, timeout); err != nil {
			return err
		}
		if err := m.endStart(ctx, c); err != nil {
			return err
		}
	}
	delivered, err := m.ask(ctx, c, sig, timeout)
	if err != nil {
		return err
	}
	if !delivered {
		return m.killAndWait(ctx, c)
	}
	if err := m.resume(ctx, c.ID); err != nil {
		return err
	}
	if gone, err := m.waitEnd(ctx, c.Ref(), timeout); gone || err != nil {
		return err
	}
	return m.killAndWait(ctx, c)
}

// stopTimeout returns how long a container has from its stop signal to its end.
func stopTimeout(c *store.Container, timeout time.Duration) time.Duration {
	switch {
	case timeout != api.OwnStopTimeout:
		return timeout
	case c.StopTimeout != nil:
		return *c.StopTimeout
	}
	return api.DefaultStopTimeout
}

// askWait is how long a signal that asks a container to end may take at least. Seen:
// milliseconds.
const askWait = 2 * time.Second

// ask sends the signal that asks a container to end. It reports whether the signal was
// delivered within the time that the container has: what cannot be asked is killed.
func (m *Manager) ask(ctx context.Context, c *store.Container, sig executor.Signal, timeout time.Duration) (delivered bool, err error) {
	asking := ctx
	if timeout >= 0 {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, max(timeout, askWait))
		defer cancel()
	}
	err = m.Kill(asking, c.ID, sig)
	switch {
	case err == nil, errors.Is(err, executor.FailedPrecondition):
		return true, nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		m.logger.Warn("the container cannot be asked to end, and is killed", "container", c.ID, "error", err)
		return false, nil
	}
	switch executor.CodeOf(err) {
	case executor.Invalid, executor.Unsupported, executor.Internal:
		m.logger.Warn("the stop signal cannot be sent, so the container is killed", "container", c.ID, "signal", sig.String(), "error", err)
		return false, nil
	}
	return false, err
}

// Resume lets a paused container run on. Resuming a container that runs changes nothing.
func (m *Manager) Resume(ctx context.Context, reference string) error {
	_, err := Act(ctx, m, reference, transport.MethodResume, Action[executor.Ref]{
		Request: Itself, Becomes: store.Running, Event: api.EventResumed,
	})
	return err
}

// resume resumes a container that is paused, so that it gets the signal.
func (m *Manager) resume(ctx context.Context, id string) error {
	now, err := m.record(id)
	if err != nil || now.State != store.Paused {
		return err
	}
	err = m.Resume(ctx, id)
	if errors.Is(err, executor.FailedPrecondition) {
		return nil // it has ended since
	}
	return err
}

// killAndWait sends SIGKILL and waits for the end of the container.
func (m *Manager) killAndWait(ctx context.Context, c *store.Container) error {
	if err := m.Kill(ctx, c.ID, syscall.SIGKILL); err != nil && !errors.Is(err, executor.FailedPrecondition) {
		return err
	}
	gone, err := m.waitEnd(ctx, c.Ref(), killWait)
	if err == nil && !gone {
		err = executor.Errorf(executor.DeadlineExceeded, "container %s has not ended %s after SIGKILL", c.ID, killWait)
	}
	return err
}

// waitEnd waits at most timeout for the end of an attempt; a negative timeout is no
// bound. It reports whether the attempt has ended.
func (m *Manager) waitEnd(ctx context.Context, ref executor.Ref, timeout time.Duration) (gone bool, err error) {
	waitCtx := ctx
	if timeout >= 0 {
		var cancel context.CancelFunc
		waitCtx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	_, err = m.WaitAttempt(waitCtx, ref.ID, ref.Attempt)
	switch {
	case err == nil, errors.Is(err, executor.FailedPrecondition), errors.Is(err, executor.NotFound):
		return true, nil
	case ctx.Err() == nil && waitCtx.Err() != nil:
		return false, nil
	}
	return false, err
}

// setDesired records what the user wants of a container, and returns its record.
func (m *Manager) setDesired(ctx context.Context, id string, desired store.Desired) (c *store.Container, err error) {
	changed := false
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		c, err = tx.Container(id)
		if err != nil || c.Desired == desired || c.Desired == store.WantRemoved {
			return err
		}
		c.Desired, c.RestartAt, c.Again, changed = desired, time.Time{}, false, true
		return tx.PutContainer(c)
	})
	if err == nil && changed {
		m.keepCopy(id)
		if ended(c) {
			m.settlePorts(c) // it was to be restarted
		}
	}
	return c, err
}
