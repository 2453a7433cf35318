package backend

import (
	"context"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// FreezableProcess is a Process whose job may have a cgroup that can be frozen.
type FreezableProcess struct{ *Process }

var _ lifecycle.Pauser = FreezableProcess{}

// Freezable returns p as a process that can be paused.
func Freezable(p *Process) FreezableProcess { return FreezableProcess{p} }

// Pause implements [lifecycle.Pauser].
func (p FreezableProcess) Pause(ctx context.Context) error { return ended(monitor.Pause(ctx, p.dir())) }

// Resume implements [lifecycle.Pauser].
func (p FreezableProcess) Resume(context.Context) error { return ended(monitor.Resume(p.dir())) }
