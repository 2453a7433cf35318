package main

import (
	"context"
	"slices"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/hashicorp/go-hclog"
)

// unreadyPoll is how often the backends of a host that has just started are looked at.
const unreadyPoll = 100 * time.Millisecond

// sayUnready says, once, that nothing can run on a host, when each of its backends has failed
// after its start. Why each did is in the log already. It returns when that is known.
func sayUnready(ctx context.Context, backends func() ([]api.BackendInfo, error), logger hclog.Logger) {
	for {
		list, err := backends()
		if err != nil || !slices.ContainsFunc(list, inUse) {
			return
		}
		if !slices.ContainsFunc(list, func(b api.BackendInfo) bool { return inUse(b) && b.Failures == 0 }) {
			logger.Error("no backend is ready, so that nothing can run: see the errors above; `davit backends` has what each lacks, and `davit doctor` looks further", "backends", len(list))
			return
		}
		if slices.ContainsFunc(list, func(b api.BackendInfo) bool { return b.State == api.BackendReady }) {
			return
		}
		select {
		case <-time.After(unreadyPoll):
		case <-ctx.Done():
			return
		}
	}
}

// inUse reports whether a backend is in the config.
func inUse(b api.BackendInfo) bool { return b.State != api.BackendRemoved }
