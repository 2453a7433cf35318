package host

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// Remove removes a container that has ended, with its output. One that has not
// is [executor.FailedPrecondition], unless force is set: it is killed then.
func (h *Host) Remove(ctx context.Context, reference string, force bool) error {
	c, err := h.record(reference)
	if err != nil {
		return err
	}
	if !ended(c) {
		if !force {
			return executor.Errorf(executor.FailedPrecondition, "container %s is %s; stop it first, or force its removal", reference, c.State)
		}
		if c, err = h.want(ctx, c.ID, store.WantStopped); err != nil {
			return err
		}
		if err := h.killAndWait(ctx, c); err != nil {
			return err
		}
	}
	return h.remove(ctx, c.ID)
}

// remove removes what is left of a container that has ended. The intent is on
// disk first, so that a removal that was interrupted is completed later.
func (h *Host) remove(ctx context.Context, id string) error {
	c, err := h.want(ctx, id, store.WantRemoved)
	if errors.Is(err, executor.NotFound) {
		return nil // somebody else was faster
	}
	if err != nil {
		return err
	}
	if err := failpoint.Hit("host.remove.wanted"); err != nil {
		return err
	}
	// A create that is under way is waited for: overtaken, it would find nothing, and
	// start the container once more.
	endTurn, err := h.turn(ctx, id)
	if err != nil {
		return err
	}
	defer endTurn()
	session, err := h.session(ctx, c.Backend)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if err := session.Delete(ctx, c.Ref()); err != nil {
		h.unlessHung(ctx, session, c.Backend)
		return err
	}
	if err := failpoint.Hit("host.remove.deleted"); err != nil {
		return err
	}
	return h.forget(ctx, id)
}

// forget removes a container of which the backend holds nothing.
func (h *Host) forget(ctx context.Context, id string) error {
	if c, err := h.record(id); err == nil {
		h.tracker.Remove(c.Ref())
	}
	if err := h.output.Remove(id); err != nil {
		return err
	}
	if err := failpoint.Hit("host.forget.output"); err != nil {
		return err
	}
	err := h.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if errors.Is(err, executor.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteContainer(id); err != nil {
			return err
		}
		return appendEvent(tx, EventRemoved, c, nil)
	})
	_ = failpoint.Hit("host.forget.recorded")
	return err
}

// hold keeps a container from being removed automatically until release is
// called: somebody still reads its output or wants its exit.
func (h *Host) hold(id string) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holds[id]++
	return func() {
		h.mu.Lock()
		h.holds[id]--
		free := h.holds[id] == 0
		if free {
			delete(h.holds, id)
		}
		h.mu.Unlock()
		if free {
			if c, err := h.record(id); err == nil && c.AutoRemove && ended(c) {
				h.removeWhenFree(id, 0)
			}
		}
	}
}

// lingers gives for how long from now a container that removes itself stays for
// those who followed it at an earlier host.
func (h *Host) lingers(c *store.Container) time.Duration {
	if c.CreatedAt.After(h.opened) {
		return 0
	}
	return time.Until(h.opened.Add(h.linger))
}

// removeWhenFree removes a container in the background after a while, unless
// somebody holds it then: the last hold does it in that case.
func (h *Host) removeWhenFree(id string, after time.Duration) {
	h.background(func() {
		select {
		case <-time.After(after):
		case <-h.ctx.Done():
			return
		}
		h.mu.Lock()
		held := h.holds[id] > 0
		h.mu.Unlock()
		if held {
			return
		}
		if err := h.remove(h.ctx, id); err != nil && h.ctx.Err() == nil {
			h.logger.Warn("automatic removal failed; it is tried again when the backend reconnects", "container", id, "error", err)
		}
	})
}
