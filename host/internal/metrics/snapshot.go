package metrics

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// parallel is how many containers of a backend are measured at once.
const parallel = 8

// snapshot is what there is at the moment of a scrape.
type snapshot struct {
	backends   []api.BackendInfo
	containers []measured
	// failed counts, by backend, the containers that could not be measured.
	failed map[string]int
	took   time.Duration
}

// measured is a container, with what it uses if that is known.
type measured struct {
	api.Container
	stats   *api.Stats
	traffic []api.Traffic
}

// take asks a host for a snapshot. It waits for the figures of containers for as long as
// patience says.
func take(ctx context.Context, h Host, patience time.Duration) (snapshot, error) {
	backends, err := h.Backends()
	if err != nil {
		return snapshot{}, err
	}
	list, err := h.List()
	if err != nil {
		return snapshot{}, err
	}
	s := snapshot{backends: backends, containers: make([]measured, len(list)), failed: map[string]int{}}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	slots := map[string]chan struct{}{} // of backends that answer
	for _, b := range backends {
		if b.State == api.BackendReady {
			slots[b.Name] = make(chan struct{}, parallel)
		}
	}
	for i, c := range list {
		m := &s.containers[i]
		m.Container = c
		if !runs(c.State) {
			continue
		}
		if slots[c.Backend] == nil {
			mu.Lock()
			s.failed[c.Backend]++
			mu.Unlock()
			continue
		}
		wg.Go(func() {
			err := m.measure(ctx, h, slots[c.Backend])
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil, errors.Is(err, executor.Unsupported): // there is nothing to know
			case errors.Is(err, executor.FailedPrecondition), errors.Is(err, executor.NotFound): // it has ended since
			default:
				s.failed[c.Backend]++
			}
		})
	}
	wg.Wait()
	return s, nil
}

// runs reports whether containers of a state have processes, which somebody can measure.
// Those of a backend that does not answer may run, and are asked for: they count as failed.
func runs(s api.State) bool {
	return s == api.StateRunning || s == api.StatePaused || s == api.StateUnknown
}

// measure finds out what a container uses, when there is a slot.
func (m *measured) measure(ctx context.Context, h Host, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	stats, err := h.Stats(ctx, m.ID)
	if err == nil {
		m.stats = &stats
	}
	if len(m.Addresses) > 0 && !strings.HasPrefix(m.Network, ocispec.NetworkContainer) { // that of another counts there
		traffic, terr := h.Traffic(m.ID)
		m.traffic = traffic
		if err == nil {
			err = terr
		}
	}
	return err
}
