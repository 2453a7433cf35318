package backend

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// ExecProcess is a further process of a workload, under a monitor of its own.
type ExecProcess struct {
	*Process
	first string // the directory of the first process
}

var _ interface {
	lifecycle.Process
	lifecycle.Resizer
	lifecycle.InputCloser
} = ExecProcess{}

// execs returns the driver of the further processes, which have a directory beside that of
// the containers. It takes up the FIFOs of those that an earlier executor has started.
func (c *containers) execs(ctx context.Context, dir string) (*driver[ExecProcess], error) {
	further := *c
	further.dir = dir
	further.hooks.Removed = nil
	if err := further.open(ctx); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var n note
		m, err := monitor.Look(further.path(e.Name()))
		if err == nil && json.Unmarshal(m.Note, &n) == nil {
			if _, err := further.output(e.Name()); err != nil {
				_ = c.fifos.Hold(n.Ref, n.Stdio) // who has removed them reads no more
			}
		}
	}
	return &driver[ExecProcess]{
		containers: further,
		prepare: func(ctx context.Context, w executor.Workload) (monitor.Job, error) {
			st, _, _, err := c.look(w.Ref.ID)
			if err != nil || st.Ref != w.Ref.Init() {
				st.PID = 0
			}
			job, err := c.hooks.Exec(ctx, w, st.PID)
			job.Beside, job.BesidePID = c.path(w.Ref.ID), st.PID
			return job, err
		},
		as: func(p *Process) ExecProcess { return ExecProcess{p, c.path(p.ref.ID)} },
	}, nil
}

// Wait implements [lifecycle.Process].
func (p ExecProcess) Wait(ctx context.Context) (*executor.Exit, error) {
	st, err := monitor.WaitExit(ctx, p.dir())
	if err != nil {
		return nil, err
	}
	exit := *st.Exit
	if exit.Source == executor.Recovered {
		exit.Source = executor.Observed
	}
	return &exit, nil
}

// Record implements [lifecycle.Recorder]: the monitor has the exit on disk, and what is
// reported as lost must not run on.
func (p ExecProcess) Record(ctx context.Context, exit *executor.Exit) error {
	if exit.Source != executor.Lost {
		return nil
	}
	return p.finish(ctx)
}

// quiet is how long what a process has left behind may write before it is released.
const quiet = 2 * time.Second

// Release implements [lifecycle.Process].
func (p ExecProcess) Release(ctx context.Context) (executor.Output, error) {
	output, err := p.containers.fifos.Drained(ctx, p.ref)
	if err != nil {
		return "", err
	}
	if output == executor.Complete {
		// Those whom it has left behind may write to its files for long.
		waiting, cancel := context.WithTimeout(ctx, quiet)
		st, err := monitor.Wait(waiting, p.dir())
		cancel()
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err == nil && !st.Complete || p.lost() {
			output = executor.Truncated
		}
	}
	p.containers.fifos.Drop(p.ref)
	return output, p.containers.putOutput(nameOf(p.ref), output)
}

// Resize implements [lifecycle.Resizer].
func (p ExecProcess) Resize(_ context.Context, size executor.TerminalSize) error {
	return p.resize(size)
}

// Remove implements [lifecycle.Process]. What it has left behind runs on, with its monitor,
// for as long as the first process does.
func (p ExecProcess) Remove(ctx context.Context) error {
	p.containers.fifos.Drop(p.ref)
	st, err := monitor.Look(p.dir())
	first, ferr := monitor.Look(p.first)
	if err == nil && ferr == nil && st.Phase == monitor.Ended && first.Phase == monitor.Running {
		return monitor.Remove(p.dir())
	}
	return p.Process.Remove(ctx)
}
