package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Drain stops all containers at the same time, as Stop does, and starts none from then
// on. Restart policies stay in force: the next host goes on with them, as Docker's does.
func (h *Host) Drain(ctx context.Context, timeout time.Duration) error {
	return h.containers.Drain(ctx, timeout)
}

// idleTimeout bounds the end of idle executors in Close.
const idleTimeout = 5 * time.Second

// StopIdle ends the executors of backends on which nothing runs. Close does so too, and
// gives them 5 s, which is enough unless one is starting. Other executors go on to watch
// their containers. On an ephemeral host StopIdle does
// nothing: Close needs all executors, and ends them.
func (h *Host) StopIdle(ctx context.Context) error {
	if h.ephemeral {
		return nil
	}
	return h.stopIdle(ctx)
}

func (h *Host) stopIdle(ctx context.Context) error {
	running, err := h.containers.Running()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for name, b := range h.backends.All() {
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

// Shutdown drains the host, ends the idle executors, and closes the host. Once it is closed
// it does nothing.
func (h *Host) Shutdown(ctx context.Context, timeout time.Duration) error {
	if h.ended.Load() {
		return nil
	}
	return errors.Join(h.Drain(ctx, timeout), h.StopIdle(ctx), h.Close())
}

// endAllTimeout bounds the end of an ephemeral host.
const endAllTimeout = time.Minute

// endAll kills and removes all containers, and ends the executors.
func (h *Host) endAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), endAllTimeout)
	defer cancel()
	return errors.Join(h.containers.RemoveAll(ctx), h.stopIdle(ctx))
}
