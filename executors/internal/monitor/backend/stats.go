package backend

import (
	"context"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

var _ lifecycle.Meter = (*Process)(nil)

// Stats implements [lifecycle.Meter].
func (p *Process) Stats(context.Context) (executor.Stats, error) {
	stats, err := monitor.Stats(p.dir())
	return stats, ended(err)
}
