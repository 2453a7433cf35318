package containers

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Update changes limits and the restart policy of a container. What is wanted is recorded
// before anything is done: the next host goes on with it. If the backend refuses,
// everything stays as it was.
func (m *Manager) Update(ctx context.Context, reference string, opts api.UpdateOptions) error {
	if opts == (api.UpdateOptions{}) {
		return executor.Errorf(executor.Invalid, "nothing is given to change; give a limit or a restart policy")
	}
	if err := opts.Limits.Validate(); err != nil {
		return err
	}
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	unlock, err := m.updates.Lock(ctx, c.ID)
	if err != nil {
		return err
	}
	defer unlock()
	return m.carryOn(c.ID, func() error { return m.update(ctx, c, opts) })
}

func (m *Manager) update(ctx context.Context, c *store.Container, opts api.UpdateOptions) error {
	before, err := m.recordUpdate(ctx, c.ID, opts)
	if err != nil {
		return err
	}
	err = m.setLimits(ctx, c.ID)
	switch {
	case err == nil:
		return nil
	case slices.Contains([]executor.Code{executor.Unavailable, executor.OutcomeUnknown, executor.DeadlineExceeded, executor.Canceled}, executor.CodeOf(err)):
		return m.pending(ctx, c, "update", err)
	}
	return errors.Join(err, m.undoUpdate(before))
}

// beforeUpdate is what there was before an update.
type beforeUpdate struct {
	record *store.Container
	spec   json.RawMessage
}

// recordUpdate records what is wanted of a container. It waits for a start that is under
// way, which has the old limits.
func (m *Manager) recordUpdate(ctx context.Context, id string, opts api.UpdateOptions) (before beforeUpdate, err error) {
	var spec json.RawMessage
	for starting := true; starting; {
		changed := m.store.Changed()
		err := m.store.Update(ctx, func(tx *store.Tx) error {
			c, err := tx.Container(id)
			if err != nil {
				return err
			}
			if starting = c.State == store.Creating; starting {
				return nil
			}
			before = beforeUpdate{record: new(*c)}
			if before.spec, err = tx.Spec(id); err != nil {
				return err
			}
			spec, err = change(c, before.spec, opts)
			if err != nil {
				return err
			}
			if err := tx.PutSpec(id, spec); err != nil {
				return err
			}
			if err := tx.PutContainer(c); err != nil || c.Updating {
				return err
			}
			return appendEvent(tx, api.EventUpdated, c, nil)
		})
		if err == nil && starting {
			err = m.awaitChange(ctx, changed)
		}
		if err != nil {
			return before, err
		}
	}
	m.keepSpec(id, spec)
	m.keepCopy(id)
	return before, nil
}

// change changes a record, and returns the spec that goes with it.
func change(c *store.Container, spec json.RawMessage, opts api.UpdateOptions) (json.RawMessage, error) {
	if c.Desired == store.WantRemoved {
		return nil, executor.Errorf(executor.FailedPrecondition, "container %s is being removed", c.ID)
	}
	if opts.Restart != nil {
		policy, err := ParseRestartPolicy(*opts.Restart)
		if err != nil {
			return nil, err
		}
		if policy.Name != "" && c.AutoRemove {
			return nil, executor.Errorf(executor.Invalid, "container %s is removed when it has ended, so it cannot have a restart policy (%s)", c.ID, *opts.Restart)
		}
		if c.Restart = policy; policy.Name == "" && !c.RestartAt.IsZero() {
			c.RestartAt, c.Desired = time.Time{}, store.WantStopped
		}
	}
	if opts.Limits == (ocispec.Limits{}) {
		return spec, nil
	}
	if string(spec) == unknownSpec {
		return nil, executor.Errorf(executor.FailedPrecondition, "limits of container %s cannot be changed: what it ran was lost with the state", c.ID)
	}
	c.Updating = c.Updating || !ended(c) && c.State != store.Exited
	return opts.Limits.Change(spec)
}

// setLimits gives the present attempt of a container the limits of its spec, if it does not
// have them yet. The caller has the lock of updates.
func (m *Manager) setLimits(ctx context.Context, id string) error {
	var c *store.Container
	var spec json.RawMessage
	err := m.store.View(func(tx *store.Tx) (err error) {
		if c, err = tx.Container(id); err == nil {
			spec, err = tx.Spec(id)
		}
		return err
	})
	if err != nil || !c.Updating || ended(c) || c.State == store.Exited {
		return err
	}
	if err := m.callUpdate(ctx, c, spec); err != nil {
		if now, rerr := m.record(id); errors.Is(rerr, executor.NotFound) || rerr == nil && (now.Attempt != c.Attempt || ended(now) || now.State == store.Exited) {
			return nil // the next attempt has them
		}
		return err
	}
	return m.updated(c.Ref(), func(tx *store.Tx, c *store.Container) error { return appendEvent(tx, api.EventUpdated, c, nil) })
}

// callUpdate sets the limits of a spec for the present attempt of a container.
func (m *Manager) callUpdate(ctx context.Context, c *store.Container, spec json.RawMessage) error {
	resources, err := ocispec.LimitsIn(spec)
	if err != nil {
		return err
	}
	_, err = backends.Call(ctx, m.backends, c.Backend, transport.MethodUpdate, transport.UpdateRequest{Ref: c.Ref(), Resources: resources})
	return err
}

// updated records that an attempt has the limits of the spec, or is to have none other than
// it has. more, unless nil, changes more in the same transaction.
func (m *Manager) updated(ref executor.Ref, more func(*store.Tx, *store.Container) error) error {
	err := m.store.Update(context.WithoutCancel(m.ctx), func(tx *store.Tx) error {
		c, err := tx.Container(ref.ID)
		if err != nil {
			return err
		}
		if c.Attempt == ref.Attempt {
			c.Updating = false
		}
		if more != nil {
			if err := more(tx, c); err != nil {
				return err
			}
		}
		return tx.PutContainer(c)
	})
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	return err
}

// undoUpdate takes back an update that the backend has refused, part of which may be done.
func (m *Manager) undoUpdate(before beforeUpdate) error {
	c := before.record
	err := m.updated(c.Ref(), func(tx *store.Tx, now *store.Container) error {
		now.Restart = c.Restart
		return tx.PutSpec(c.ID, before.spec)
	})
	if err != nil {
		return err
	}
	m.keepSpec(c.ID, before.spec)
	m.keepCopy(c.ID)
	ctx, cancel := context.WithTimeout(m.ctx, transport.Act)
	defer cancel()
	if err := m.callUpdate(ctx, c, before.spec); err != nil && !errors.Is(err, executor.Unsupported) {
		m.logger.Warn("limits were refused, and the earlier ones are not set again", "container", c.ID, "error", err)
	}
	return nil
}

// finishUpdate sets the limits that an earlier host, or a call without an answer, has left.
// What the backend refuses is not tried again: the next attempt has it.
func (m *Manager) finishUpdate(ctx context.Context, id string) error {
	unlock, err := m.updates.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	err = m.setLimits(ctx, id)
	switch executor.CodeOf(err) {
	case executor.Invalid, executor.Unsupported, executor.FailedPrecondition, executor.Internal:
		m.logger.Error("limits that were recorded are refused, and are those of the next start", "container", id, "error", err)
		c, rerr := m.record(id)
		if rerr != nil {
			return nil //nolint:nilerr // it is gone
		}
		return m.updated(c.Ref(), nil)
	}
	return err
}
