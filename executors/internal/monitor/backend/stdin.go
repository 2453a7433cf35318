package backend

import (
	"context"
	"errors"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

var _ lifecycle.InputCloser = (*Process)(nil)

// CloseInput implements [lifecycle.InputCloser].
func (p *Process) CloseInput(context.Context) error {
	return p.without(monitor.CloseInput(p.dir()))
}

// without returns the error of a call about something that a workload may not have.
func (p *Process) without(err error) error {
	if errors.Is(err, monitor.ErrNoInput) || errors.Is(err, monitor.ErrNoTerminal) {
		return executor.Errorf(executor.FailedPrecondition, "%s: %w", p.ref, err)
	}
	return ended(err)
}
