package containers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Drain stops all containers at the same time, as Stop does, and starts none from then
// on. Restart policies stay in force: the next host goes on with them, as Docker's does.
func (m *Manager) Drain(ctx context.Context, timeout time.Duration) error {
	m.mu.Lock()
	m.draining = true
	m.mu.Unlock()
	// When this is committed, creates that were under way are in the store, and later
	// ones are refused.
	if err := m.store.Update(ctx, func(*store.Tx) error { return nil }); err != nil {
		return err
	}
	all, err := m.records()
	all = slices.DeleteFunc(all, ended)
	return errors.Join(err, each(all, func(c *store.Container) error {
		return m.stop(ctx, c, api.StopOptions{Timeout: new(drainTime(c, timeout))})
	}))
}

// drainTime returns how long a container may take. One that Stop would wait for without
// end has the default time: the host has to end.
func drainTime(c *store.Container, timeout time.Duration) time.Duration {
	if timeout == api.OwnStopTimeout && c.StopTimeout != nil && *c.StopTimeout < 0 {
		return api.DefaultStopTimeout
	}
	return timeout
}

func (m *Manager) isDraining() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.draining
}

func errDraining() error {
	return executor.Errorf(executor.Unavailable, "the host is shutting down and starts no containers")
}

// RemoveAll kills and removes all containers.
func (m *Manager) RemoveAll(ctx context.Context) error {
	err := m.Drain(ctx, 0)
	all, listErr := m.records()
	return errors.Join(err, listErr, each(all, func(c *store.Container) error { return m.remove(ctx, c.ID) }))
}

// Running counts the containers that have not ended, by backend.
func (m *Manager) Running() (map[string]int, error) {
	running := map[string]int{}
	all, err := m.records()
	for _, c := range all {
		if !ended(c) {
			running[c.Backend]++
		}
	}
	return running, err
}

// each calls do for all containers at the same time, and returns all errors.
func each(all []*store.Container, do func(*store.Container) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			if err := do(c); err != nil {
				errs[i] = fmt.Errorf("container %s: %w", c.ID, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
