package containers

import (
	"context"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Restart ends a container, as Stop does, and starts it once more. It starts one that has
// ended, and waits for one that is being started. That it is to be restarted is recorded
// before anything is done: the next host goes on with it. A Stop meanwhile wins.
func (m *Manager) Restart(ctx context.Context, reference string, opts api.StopOptions) (api.Container, error) {
	if err := opts.Validate(); err != nil {
		return api.Container{}, err
	}
	c, err := m.record(reference)
	if err != nil {
		return api.Container{}, err
	}
	var v api.Container
	err = m.carryOn(c.ID, func() error {
		v, err = m.restartNow(ctx, c, opts)
		return err
	})
	return v, err
}

func (m *Manager) restartNow(ctx context.Context, c *store.Container, opts api.StopOptions) (api.Container, error) {
	err := m.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		if c, err = tx.Container(c.ID); err != nil || c.Desired == store.WantRemoved || ended(c) || c.State == store.Creating {
			return err
		}
		c.Desired, c.Again = store.WantRunning, true
		return tx.PutContainer(c)
	})
	switch {
	case err != nil:
		return api.Container{}, err
	case c.Desired == store.WantRemoved:
		return api.Container{}, executor.Errorf(executor.FailedPrecondition, "container %s is being removed", c.ID)
	case ended(c):
		return m.Start(ctx, c.ID)
	case c.State == store.Creating:
		if err := m.awaitStart(ctx, c.ID); err != nil {
			return api.Container{}, err
		}
		return m.Inspect(c.ID)
	}
	if err := m.stop(ctx, c, opts); err != nil {
		return api.Container{}, m.pending(ctx, c, "restart", err)
	}
	return m.awaitRestart(ctx, c.Ref())
}

// awaitRestart waits until the restart that comes after an attempt has an outcome, and
// returns the container.
func (m *Manager) awaitRestart(ctx context.Context, before executor.Ref) (api.Container, error) {
	for {
		changed := m.store.Changed()
		c, err := m.record(before.ID)
		switch {
		case err != nil:
			return api.Container{}, err
		case c.Desired != store.WantRunning:
			return api.Container{}, executor.Errorf(executor.FailedPrecondition, "container %s was stopped meanwhile", c.ID)
		case c.State == store.Failed && c.RestartAt.IsZero():
			return api.Container{}, failed(c)
		case c.Attempt > before.Attempt && c.State != store.Creating:
			return m.Inspect(c.ID)
		}
		if err := m.awaitChange(ctx, changed); err != nil {
			return api.Container{}, err
		}
	}
}
