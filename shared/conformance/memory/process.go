package memory

import (
	"context"
	"errors"
	"fmt"
	"os"

	program "github.com/davit-run/davit/shared/conformance/workload"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"github.com/davit-run/davit/shared/lifecycle"
)

// process is a workload. It may have been started by an earlier executor.
type process struct {
	place
	rec      record
	machine  machine
	answered string // file that lists the exits for which the host has answered
	fifos    *fifo.Holder
}

func (p *process) status() executor.Status {
	return executor.Status{Ref: p.rec.Ref, State: executor.Running, PID: p.rec.PID, StartedAt: p.rec.StartedAt, Runtime: p.rec.Runtime}
}

// exit returns the exit, or nil while the workload runs.
func (p *process) exit() *executor.Exit {
	if exit := p.readExit(); exit != nil {
		return exit
	}
	if reaped := p.machine.reaped(p.place); reaped != nil {
		select {
		case <-reaped:
		default:
			return nil
		}
	} else if p.listens() {
		return nil
	}
	if exit := p.readExit(); exit != nil { // it ended in between
		return exit
	}
	return executor.LostExit("the workload's process is gone and left no exit")
}

func (p *process) readExit() *executor.Exit {
	var exit executor.Exit
	if readJSON(p.exitFile(), &exit) != nil {
		return nil
	}
	exit.Source = executor.Recovered
	return &exit
}

// Wait implements [lifecycle.Process].
func (p *process) Wait(ctx context.Context) (*executor.Exit, error) {
	p.hold()
	if reaped := p.machine.reaped(p.place); reaped != nil {
		select {
		case <-reaped:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	} else if _, err := p.deliver(ctx, 0); err != nil {
		return nil, err
	}
	exit := p.exit()
	if exit == nil {
		return nil, fmt.Errorf("%s does not talk and has not ended", p.rec.Ref)
	}
	if exit.Source == executor.Recovered {
		exit.Source = executor.Observed
	}
	return exit, nil
}

// Release implements [lifecycle.Process]. Workloads write to their files themselves,
// so nothing is left to drain but FIFOs.
func (p *process) Release(ctx context.Context) (executor.Output, error) {
	p.hold()
	output, err := p.fifos.Drained(ctx, p.rec.Ref)
	if err != nil {
		return "", err
	}
	p.fifos.Drop(p.rec.Ref)
	if p.answered == "" {
		return output, nil
	}
	f, err := os.OpenFile(p.answered, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return "", err
	}
	code := -1
	if exit := p.exit(); exit != nil && exit.Code != nil {
		code = *exit.Code
	}
	_, err = fmt.Fprintf(f, "%s %d\n", p.rec.Ref, code)
	return output, errors.Join(err, f.Close())
}

// Signal implements [lifecycle.Process].
func (p *process) Signal(ctx context.Context, sig executor.Signal) error {
	return p.send(ctx, byte(sig))
}

// Pause implements [lifecycle.Pauser].
func (p *process) Pause(ctx context.Context) error { return p.send(ctx, program.Pause) }

// Resume implements [lifecycle.Pauser].
func (p *process) Resume(ctx context.Context) error { return p.send(ctx, program.Resume) }

func (p *process) send(ctx context.Context, event byte) error {
	taken, err := p.deliver(ctx, event)
	if err == nil && !taken {
		return lifecycle.ErrEnded
	}
	return err
}

// Remove implements [lifecycle.Process].
func (p *process) Remove(context.Context) error {
	p.fifos.Drop(p.rec.Ref)
	return p.remove()
}

// hold takes up the FIFOs of a process that was found. It changes nothing for others.
func (p *process) hold() {
	_ = p.fifos.Hold(p.rec.Ref, p.rec.Stdio) // who has removed them reads no more
}

// CloseInput implements [lifecycle.InputCloser].
func (p *process) CloseInput(ctx context.Context) error {
	if p.rec.Stdio.Stdin.Kind == executor.StreamNull {
		return executor.Errorf(executor.FailedPrecondition, "%s has no input", p.rec.Ref)
	}
	return p.send(ctx, closeInput)
}

// Resize implements [lifecycle.Resizer].
func (p *process) Resize(ctx context.Context, size executor.TerminalSize) error {
	if !p.rec.Stdio.Terminal {
		return executor.Errorf(executor.FailedPrecondition, "%s has no terminal", p.rec.Ref)
	}
	if err := writeJSON(p.sizeFile(), size); err != nil {
		return err
	}
	return p.send(ctx, resized)
}
