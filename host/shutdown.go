package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// Drain stops every container as Stop does, all at once, and starts none any
// more. Restart policies are not put off by it: the next host goes on with them,
// as Docker's does.
func (h *Host) Drain(ctx context.Context, timeout time.Duration) error {
	h.mu.Lock()
	h.draining = true
	h.mu.Unlock()
	// When this has its turn, what was on its way is in the store, and what comes
	// later is refused.
	if err := h.store.Update(ctx, func(*store.Tx) error { return nil }); err != nil {
		return err
	}
	all, err := h.records()
	all = slices.DeleteFunc(all, ended)
	return errors.Join(err, h.each(all, func(c *store.Container) error { return h.stop(ctx, c, timeout) }))
}

func (h *Host) isDraining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

func errDraining() error {
	return executor.Errorf(executor.Unavailable, "the host is shutting down and starts no containers")
}

// StopIdle ends, before Close, the executors of backends on which nothing runs.
// Others are left to watch over their containers. Those of an ephemeral host are
// all ended by Close, which still needs them.
func (h *Host) StopIdle(ctx context.Context) error {
	if h.ephemeral {
		return nil
	}
	return h.stopIdle(ctx)
}

func (h *Host) stopIdle(ctx context.Context) error {
	running, err := h.runningByBackend()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for name, b := range h.backends {
		if running[name] == 0 {
			wg.Go(func() {
				if err := b.Stop(ctx); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, fmt.Errorf("backend %s: %w", name, err))
				}
			})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Shutdown drains the host, and then ends the executors and closes it.
func (h *Host) Shutdown(ctx context.Context, timeout time.Duration) error {
	return errors.Join(h.Drain(ctx, timeout), h.StopIdle(ctx), h.Close())
}

// vanishTimeout bounds the end of an ephemeral host.
const vanishTimeout = time.Minute

// vanish kills and removes all containers, and ends the executors.
func (h *Host) vanish() error {
	ctx, cancel := context.WithTimeout(context.Background(), vanishTimeout)
	defer cancel()
	err := h.Drain(ctx, time.Nanosecond)
	all, listErr := h.records()
	removed := h.each(all, func(c *store.Container) error { return h.remove(ctx, c.ID) })
	return errors.Join(err, listErr, removed, h.stopIdle(ctx))
}

// each does something to containers, all at once, and gives all errors.
func (h *Host) each(all []*store.Container, do func(*store.Container) error) error {
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
