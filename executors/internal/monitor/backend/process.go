package backend

import (
	"context"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Process is a workload under a monitor.
type Process struct {
	containers *containers
	ref        executor.Ref
	stdio      executor.Stdio
	// end is known once nothing of the workload is left. Only the watcher uses it.
	end *monitor.Status
}

var _ interface {
	lifecycle.Process
	lifecycle.Recorder
	lifecycle.Adopter
} = (*Process)(nil)

func (c *containers) process(ref executor.Ref) *Process { return &Process{containers: c, ref: ref} }

// Plain returns p as it is: with the capabilities that every monitor has.
func Plain(p *Process) *Process { return p }

func (p *Process) dir() string { return p.containers.path(nameOf(p.ref)) }

// Adopt implements [lifecycle.Adopter].
func (p *Process) Adopt(stdio executor.Stdio) { p.stdio = stdio }

// Wait implements [lifecycle.Process].
func (p *Process) Wait(ctx context.Context) (*executor.Exit, error) {
	if err := p.finish(ctx); err != nil {
		return nil, err
	}
	exit := *p.end.Exit
	if exit.Source == executor.Recovered {
		exit.Source = executor.Observed
	}
	return &exit, nil
}

// finish waits until nothing of the workload is left.
func (p *Process) finish(ctx context.Context) error {
	if p.end != nil {
		return nil
	}
	end, err := monitor.Wait(ctx, p.dir())
	if err == nil {
		p.end = &end
	}
	return err
}

// Record implements [lifecycle.Recorder]: the monitor has the exit on disk, and what
// is reported as ended must not run on.
func (p *Process) Record(ctx context.Context, _ *executor.Exit) error { return p.finish(ctx) }

// Release implements [lifecycle.Process].
func (p *Process) Release(context.Context) (executor.Output, error) {
	output := executor.Truncated
	if p.end.Complete && !p.lost() {
		output = executor.Complete
	}
	return output, p.containers.putOutput(nameOf(p.ref), output)
}

// lost reports whether the disk was full for some of the output.
func (p *Process) lost() bool {
	for _, s := range []executor.Stream{p.stdio.Stdout, p.stdio.Stderr} {
		if s.Kind != executor.StreamFile {
			continue
		}
		if loss, err := executor.ReadLoss(s.Path); err != nil || loss.Gaps > 0 {
			return true
		}
	}
	return false
}

// Signal implements [lifecycle.Process].
func (p *Process) Signal(_ context.Context, sig executor.Signal) error {
	return ended(monitor.Signal(p.dir(), sig))
}

// ended returns [lifecycle.ErrEnded] for the error of a workload that does not run.
func ended(err error) error {
	switch executor.CodeOf(err) {
	case executor.FailedPrecondition, executor.NotFound:
		return lifecycle.ErrEnded
	}
	return err
}

// Remove implements [lifecycle.Process].
func (p *Process) Remove(ctx context.Context) error { return p.containers.remove(ctx, nameOf(p.ref)) }
