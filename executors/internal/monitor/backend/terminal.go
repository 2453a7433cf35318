package backend

import (
	"context"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

var _ lifecycle.Resizer = FreezableProcess{}

// Resize implements [lifecycle.Resizer].
func (p FreezableProcess) Resize(_ context.Context, size executor.TerminalSize) error {
	return p.resize(size)
}

func (p *Process) resize(size executor.TerminalSize) error {
	return p.without(monitor.Resize(p.dir(), monitor.Terminal{Rows: size.Height, Cols: size.Width}))
}
