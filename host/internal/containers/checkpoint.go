package containers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/backends"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// checkpointsDir returns the directory of a container's checkpoints, which is beside its
// output. The checkpoint NAME is the directory NAME in it.
func (m *Manager) checkpointsDir(id string) string {
	return filepath.Join(m.outputs.ContainerDir(id), "checkpoints")
}

func (m *Manager) checkpointDir(id, name string) string {
	return filepath.Join(m.checkpointsDir(id), name)
}

// CreateCheckpoint writes down the state of a container's processes; see the method of
// host.Host.
func (m *Manager) CreateCheckpoint(ctx context.Context, reference string, opts api.CheckpointOptions) (made api.Checkpoint, err error) {
	if err := opts.Validate(); err != nil {
		return made, err
	}
	c, err := m.record(reference)
	if err != nil {
		return made, err
	}
	unlock, err := m.checkpoints.Lock(ctx, c.ID)
	if err != nil {
		return made, err
	}
	err = m.carryOn(c.ID, func() error {
		defer unlock()
		made, err = m.createCheckpoint(ctx, c, opts)
		return err
	})
	if err == nil && !opts.LeaveRunning {
		_, err = m.WaitAttempt(ctx, c.ID, made.Attempt)
		if errors.Is(err, executor.NotFound) { // it was removed
			err = nil
		}
	}
	return made, err
}

func (m *Manager) createCheckpoint(ctx context.Context, c *store.Container, opts api.CheckpointOptions) (api.Checkpoint, error) {
	session, err := m.backends.Session(ctx, c.Backend)
	if err == nil {
		err = session.Require([]executor.Capability{executor.CapCheckpoint})
	}
	if err != nil {
		return api.Checkpoint{}, err
	}
	k, err := m.recordCheckpointing(ctx, c.ID, opts)
	if err != nil {
		return api.Checkpoint{}, err
	}
	if err = m.makeCheckpoint(ctx, c.ID); isLate(err) {
		err = m.pending(ctx, c, "checkpoint", err)
	}
	return viewCheckpoint(k), err
}

// recordCheckpointing records that a checkpoint is to be made. The caller has the lock.
func (m *Manager) recordCheckpointing(ctx context.Context, id string, opts api.CheckpointOptions) (k store.Checkpoint, err error) {
	m.sweepCheckpoints(id)
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err == nil {
			err = mayCheckpoint(c, opts)
		}
		if err != nil {
			return err
		}
		k = store.Checkpoint{Name: opts.Name, Attempt: c.Attempt, LeaveRunning: opts.LeaveRunning, CreatedAt: time.Now()}
		c.Checkpointing = &k
		return tx.PutContainer(c)
	})
	return k, err
}

// mayCheckpoint returns an error unless a checkpoint can be made of a container now.
func mayCheckpoint(c *store.Container, opts api.CheckpointOptions) error {
	refuse := func(format string, args ...any) error {
		return executor.Errorf(executor.FailedPrecondition, "container %s "+format, append([]any{c.ID}, args...)...)
	}
	switch {
	case c.Checkpoint(opts.Name) != nil:
		return executor.Errorf(executor.AlreadyExists, "container %s has a checkpoint %s already; remove it first, or choose another name", c.ID, opts.Name)
	case c.Checkpointing != nil:
		return refuse("has a checkpoint that is still being made: %s", c.Checkpointing.Name)
	case c.Desired == store.WantRemoved:
		return refuse("is being removed")
	case c.State == store.Paused:
		return refuse("is paused; unpause it first")
	case c.State != store.Running || c.Held:
		return refuse("is not running")
	case c.Stdio.Terminal:
		return refuse("has a terminal, which cannot be written down; run it without one")
	case c.AutoRemove && !opts.LeaveRunning:
		return refuse("is removed when it ends, with its checkpoints; leave it running (--leave-running), or run it without --rm")
	}
	return nil
}

// makeCheckpoint makes the checkpoint that is recorded, and records the outcome. It goes on
// when the caller is gone. The caller has the lock.
func (m *Manager) makeCheckpoint(ctx context.Context, id string) error {
	c, err := m.record(id)
	if errors.Is(err, executor.NotFound) || err == nil && c.Checkpointing == nil {
		return nil
	}
	if err != nil {
		return err
	}
	k := *c.Checkpointing
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(m.ctx, func() { cancel(errClosing()) })()
	if err = m.makeCheckpointsDir(c); err == nil {
		request := transport.CheckpointRequest{
			Ref:        executor.Ref{ID: id, Attempt: k.Attempt},
			Checkpoint: executor.Checkpoint{Dir: m.checkpointDir(id, k.Name), LeaveRunning: k.LeaveRunning},
		}
		_, err = backends.Call(ctx, m.backends, c.Backend, transport.MethodCheckpoint, request)
	}
	switch {
	case isLate(err):
		return err
	case err != nil:
		return errors.Join(err, m.dropCheckpoint(id))
	}
	return m.keepCheckpoint(id, k)
}

// makeCheckpointsDir makes the directory in which the executor of a container makes the
// checkpoints.
func (m *Manager) makeCheckpointsDir(c *store.Container) error {
	dir := m.checkpointsDir(c.ID)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return executor.ExplainDisk(dir, err)
	}
	b, err := m.backends.Pick(c.Backend)
	if err != nil || b.Config().User == "" {
		return nil //nolint:nilerr // the call says what is wrong with the backend
	}
	user, err := b.Owner()
	if err == nil {
		err = os.Chown(dir, user.UID, user.GID)
	}
	return err
}

// keepCheckpoint records that a checkpoint is made. What it has ended is not started again.
func (m *Manager) keepCheckpoint(id string, k store.Checkpoint) error {
	err := m.store.Update(context.WithoutCancel(m.ctx), func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		if c.EndsBy() != nil {
			c.Checkpointed, c.RestartAt = k.Name, time.Time{}
			if c.Desired == store.WantRunning {
				c.Desired = store.WantStopped
			}
		}
		c.Checkpoints, c.Checkpointing = append(c.Checkpoints, k), nil
		if err := tx.PutContainer(c); err != nil {
			return err
		}
		return appendEvent(tx, api.EventCheckpointed, c, map[string]string{"checkpoint": k.Name})
	})
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	if err == nil {
		m.keepCopy(id)
	}
	return err
}

// dropCheckpoint records that a checkpoint is not made. If the container has ended meanwhile,
// by itself, its restart policy has waited for that.
func (m *Manager) dropCheckpoint(id string) error {
	var ended *store.Container
	err := m.store.Update(context.WithoutCancel(m.ctx), func(tx *store.Tx) error {
		c, err := tx.Container(id)
		if err != nil {
			return err
		}
		waited := c.EndsBy() != nil && c.State == store.Released
		c.Checkpointing = nil
		if exit, err := tx.Exit(c.Ref()); waited && err == nil {
			setRestart(c, failure(&exit.Exit))
			ended = c
		}
		return tx.PutContainer(c)
	})
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m.sweepCheckpoints(id)
	if ended != nil {
		m.followUp(ended)
	}
	return nil
}

// finishCheckpoint makes the checkpoint that an earlier host, or a call without an answer, has
// left. If the backend refuses, there is none.
func (m *Manager) finishCheckpoint(ctx context.Context, id string) error {
	unlock, err := m.checkpoints.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	err = m.makeCheckpoint(ctx, id)
	if err != nil && !isLate(err) {
		m.logger.Error("a checkpoint that was recorded is not made", "container", id, "error", err)
		return nil
	}
	return err
}

// resumeCheckpoint goes on with a checkpoint that is recorded and not made.
func (m *Manager) resumeCheckpoint(session *backends.Session, c *store.Container) {
	if c.Checkpointing == nil || c.Desired == store.WantRemoved {
		return
	}
	m.background(func() {
		_ = m.insist(session, c.ID, 0, func(ctx context.Context) error { return m.finishCheckpoint(ctx, c.ID) })
	})
}

// sweepLater does what sweepCheckpoints does when no checkpoint is being made.
func (m *Manager) sweepLater(id string) {
	unlock, err := m.checkpoints.Lock(m.ctx, id)
	if err != nil {
		return
	}
	defer unlock()
	m.sweepCheckpoints(id)
}

// sweepCheckpoints removes what is beside a container's checkpoints and is none: drafts, logs,
// and those whose removal was interrupted. The caller has the lock.
func (m *Manager) sweepCheckpoints(id string) {
	c, err := m.record(id)
	if err != nil || c.Checkpointing != nil {
		return
	}
	entries, err := os.ReadDir(m.checkpointsDir(id))
	if err != nil {
		return // there are none, as a rule
	}
	for _, e := range entries {
		if c.Checkpoint(e.Name()) == nil {
			if err := os.RemoveAll(m.checkpointDir(id, e.Name())); err != nil {
				m.logger.Warn("remains of a checkpoint are not removed", "container", id, "error", err)
			}
		}
	}
	if len(c.Checkpoints) == 0 {
		_ = os.Remove(m.checkpointsDir(id)) // fails unless empty
	}
}

// Checkpoints returns the checkpoints of a container, the oldest first.
func (m *Manager) Checkpoints(reference string) ([]api.Checkpoint, error) {
	c, err := m.record(reference)
	if err != nil {
		return nil, err
	}
	var all []api.Checkpoint
	for _, k := range c.Checkpoints {
		all = append(all, viewCheckpoint(k))
	}
	return all, nil
}

func viewCheckpoint(k store.Checkpoint) api.Checkpoint {
	return api.Checkpoint{Name: k.Name, Attempt: k.Attempt, LeftRunning: k.LeaveRunning, CreatedAt: k.CreatedAt}
}

// errNoCheckpoint returns the error for a name that none of a container's checkpoints has.
func errNoCheckpoint(c *store.Container, name string) error {
	has := "it has none"
	if len(c.Checkpoints) > 0 {
		var names []string
		for _, k := range c.Checkpoints {
			names = append(names, k.Name)
		}
		has = "it has " + strings.Join(names, ", ")
	}
	return executor.Errorf(executor.NotFound, "container %s has no checkpoint %q; %s", c.ID, name, has)
}

// RemoveCheckpoint removes a checkpoint of a container.
func (m *Manager) RemoveCheckpoint(ctx context.Context, reference, name string) error {
	c, err := m.record(reference)
	if err != nil {
		return err
	}
	unlock, err := m.checkpoints.Lock(ctx, c.ID)
	if err != nil {
		return err
	}
	defer unlock()
	err = m.store.Update(ctx, func(tx *store.Tx) error {
		c, err := tx.Container(c.ID)
		if err != nil {
			return err
		}
		switch {
		case c.Checkpoint(name) == nil:
			return errNoCheckpoint(c, name)
		case c.State == store.Creating && c.From == name:
			return executor.Errorf(executor.FailedPrecondition, "container %s is being started from its checkpoint %s", c.ID, name)
		}
		c.Checkpoints = slices.DeleteFunc(c.Checkpoints, func(k store.Checkpoint) bool { return k.Name == name })
		return tx.PutContainer(c)
	})
	if err != nil {
		return err
	}
	m.keepCopy(c.ID)
	if err := os.RemoveAll(m.checkpointDir(c.ID, name)); err != nil {
		return err
	}
	m.sweepCheckpoints(c.ID)
	return nil
}

// StartCheckpoint starts a container that has ended, from one of its checkpoints; see the
// method of host.Host.
func (m *Manager) StartCheckpoint(ctx context.Context, reference, name string) (api.Container, error) {
	c, err := m.record(reference)
	if err != nil {
		return api.Container{}, err
	}
	if c.Checkpoint(name) == nil {
		return api.Container{}, errNoCheckpoint(c, name)
	}
	session, err := m.backends.Session(ctx, c.Backend)
	if err == nil {
		err = session.Require([]executor.Capability{executor.CapCheckpoint})
	}
	if err != nil {
		return api.Container{}, err
	}
	return m.startFrom(ctx, reference, name)
}
