package main

import (
	"context"
	"io"
	"maps"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strings"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// profiles takes profiles of this process.
type profiles struct{}

// timed are the profiles that are taken for a while.
var timed = map[string]struct {
	start func(io.Writer) error
	stop  func()
}{
	"profile": {pprof.StartCPUProfile, pprof.StopCPUProfile},
	"trace":   {trace.Start, trace.Stop},
}

// Profile writes a profile to w. It ends early with ctx.
func (profiles) Profile(ctx context.Context, name string, opts api.ProfileOptions, w io.Writer) error {
	if p := pprof.Lookup(name); p != nil {
		return p.WriteTo(w, opts.Debug)
	}
	t, known := timed[name]
	if !known {
		all := slices.Collect(maps.Keys(timed))
		for _, p := range pprof.Profiles() {
			all = append(all, p.Name())
		}
		slices.Sort(all)
		return executor.Errorf(executor.NotFound, "no profile is named %q; there are %s", name, strings.Join(all, ", "))
	}
	if err := t.start(w); err != nil {
		return executor.Errorf(executor.FailedPrecondition, "%s: %w; try again when the other one is done", name, err)
	}
	defer t.stop()
	select {
	case <-time.After(opts.Duration()):
	case <-ctx.Done():
	}
	return nil
}
