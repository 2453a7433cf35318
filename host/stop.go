package host

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

const (
	// signalTimeout bounds a signal to a backend, deleteTimeout a deletion.
	signalTimeout = 10 * time.Second
	deleteTimeout = 60 * time.Second
	// killWait is how long a container may take to end after SIGKILL.
	killWait = 30 * time.Second
)

// records gives all records.
func (h *Host) records() (all []*store.Container, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		all, err = tx.Containers()
		return err
	})
	return all, err
}

// record gives the record behind a reference.
func (h *Host) record(reference string) (c *store.Container, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		c, err = tx.Find(reference)
		return err
	})
	return c, err
}

// Kill sends a signal to a container's first process. One that does not run is
// [executor.FailedPrecondition].
func (h *Host) Kill(ctx context.Context, reference string, sig executor.Signal) error {
	c, err := h.record(reference)
	if err != nil {
		return err
	}
	return h.signal(ctx, c, sig)
}

// signal sends a signal to the present attempt of c. One that is being created is
// waited for: the backend may not know it yet.
func (h *Host) signal(ctx context.Context, c *store.Container, sig executor.Signal) error {
	for {
		changed := h.store.Changed()
		now, err := h.record(c.ID)
		if err != nil {
			return err
		}
		if ended(now) || now.State == store.Exited {
			return executor.Errorf(executor.FailedPrecondition, "container %s is not running", now.ID)
		}
		err = h.signalOnce(ctx, now, sig)
		if now.State != store.Creating || !errors.Is(err, executor.NotFound) {
			return err
		}
		if err := h.awaitChange(ctx, changed); err != nil {
			return err
		}
	}
}

func (h *Host) signalOnce(ctx context.Context, c *store.Container, sig executor.Signal) error {
	session, err := h.session(ctx, c.Backend)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	return session.Signal(ctx, c.Ref(), sig)
}

// Stop asks a container to end with its stop signal, kills it when timeout is
// over, and waits for its end. A timeout of 0 is the container's own, a negative
// one waits for ever. Stopping one that has ended does nothing.
func (h *Host) Stop(ctx context.Context, reference string, timeout time.Duration) error {
	c, err := h.record(reference)
	if err != nil {
		return err
	}
	if c, err = h.want(ctx, c.ID, store.WantStopped); err != nil || ended(c) {
		return err
	}
	return h.stop(ctx, c, timeout)
}

// stop ends the present attempt of a container.
func (h *Host) stop(ctx context.Context, c *store.Container, timeout time.Duration) error {
	sig := c.StopSignal
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	if timeout == 0 {
		timeout = c.StopTimeout
	}
	if timeout == 0 {
		timeout = DefaultStopTimeout
	}
	if err := h.signal(ctx, c, sig); err != nil && !errors.Is(err, executor.FailedPrecondition) {
		return err
	}
	if gone, err := h.waitEnd(ctx, c.Ref(), timeout); gone || err != nil {
		return err
	}
	return h.killAndWait(ctx, c)
}

// killAndWait ends a container by SIGKILL.
func (h *Host) killAndWait(ctx context.Context, c *store.Container) error {
	if err := h.signal(ctx, c, syscall.SIGKILL); err != nil && !errors.Is(err, executor.FailedPrecondition) {
		return err
	}
	gone, err := h.waitEnd(ctx, c.Ref(), killWait)
	if err == nil && !gone {
		err = executor.Errorf(executor.DeadlineExceeded, "container %s has not ended %s after SIGKILL", c.ID, killWait)
	}
	return err
}

// waitEnd waits for the end of an attempt, at most for a time unless that is
// negative.
func (h *Host) waitEnd(ctx context.Context, ref executor.Ref, timeout time.Duration) (gone bool, err error) {
	waitCtx := ctx
	if timeout >= 0 {
		var cancel context.CancelFunc
		waitCtx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	_, err = h.WaitAttempt(waitCtx, ref.ID, ref.Attempt)
	switch {
	case err == nil, errors.Is(err, executor.FailedPrecondition), errors.Is(err, executor.NotFound):
		return true, nil
	case ctx.Err() == nil && waitCtx.Err() != nil:
		return false, nil
	}
	return false, err
}

// want records what the user wants of a container, and gives its record.
func (h *Host) want(ctx context.Context, id string, desired store.Desired) (c *store.Container, err error) {
	err = h.store.Update(ctx, func(tx *store.Tx) error {
		c, err = tx.Container(id)
		if err != nil || c.Desired == desired || c.Desired == store.WantRemoved {
			return err
		}
		c.Desired, c.RestartAt = desired, time.Time{}
		return tx.PutContainer(c)
	})
	return c, err
}
