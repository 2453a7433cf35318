package host

import (
	"context"
	"errors"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/shared/executor"
)

// liveTime is how long the store may take until it is taken to hang. Seen: less than a second,
// on a disk that others load.
const liveTime = 5 * time.Second

// Live says whether the host does its work: whether it can record what happens.
func (h *Host) Live(ctx context.Context) (api.Liveness, error) {
	ctx, cancel := context.WithTimeout(ctx, liveTime)
	defer cancel()
	err := h.store.Update(ctx, func(*store.Tx) error { return nil }) // nothing is written
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = executor.Errorf(executor.Unavailable, "the state has not been written for %s; look at its disk", liveTime)
	case err == nil:
		return api.Liveness{Live: true}, nil
	}
	return api.Liveness{Problem: err.Error()}, nil
}

// Ready says whether containers can be started: on all backends of the config, or on those
// that are named. The error for a backend that there is not is [executor.NotFound].
func (h *Host) Ready(ctx context.Context, names []string) (api.Readiness, error) {
	asked := map[string]bool{}
	for _, name := range names {
		b, err := h.backends.Pick(name)
		if err != nil {
			return api.Readiness{}, err
		}
		asked[b.Config().Name] = true
	}
	live, err := h.Live(ctx)
	if err != nil {
		return api.Readiness{}, err
	}
	all, err := h.Backends()
	if err != nil {
		return api.Readiness{}, err
	}
	r := api.Readiness{Ready: live.Live, Problem: live.Problem, Backends: []api.BackendReadiness{}}
	for _, b := range all {
		if len(asked) > 0 && !asked[b.Name] || b.State == api.BackendRemoved {
			continue
		}
		one := api.BackendReadiness{Name: b.Name, Ready: b.State == api.BackendReady, State: b.State, Since: b.Since, Default: b.Default}
		if !one.Ready {
			one.Problem = b.LastError
			r.Ready = false
		}
		r.Backends = append(r.Backends, one)
	}
	return r, nil
}
