package host

import (
	"context"
	"errors"
	"fmt"
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
	errs := []error{err}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, c := range all {
		if !ended(c) {
			wg.Go(func() {
				if err := h.stop(ctx, c, timeout); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, fmt.Errorf("container %s: %w", c.ID, err))
				}
			})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
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
// Others are left to watch over their containers.
func (h *Host) StopIdle(ctx context.Context) error {
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
