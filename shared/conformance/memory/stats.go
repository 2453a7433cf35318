package memory

import (
	"context"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Stats implements [lifecycle.Meter].
func (p *process) Stats(context.Context) (executor.Stats, error) {
	if p.exit() != nil {
		return executor.Stats{}, lifecycle.ErrEnded
	}
	stats := executor.Stats{At: time.Now()}
	if p.rec.PID != 0 {
		stats.PIDs = []int{p.rec.PID}
	}
	limits := p.limits()
	if m := limits.Memory; m != nil && m.Limit != nil && *m.Limit > 0 {
		stats.MemoryLimit = new(uint64(*m.Limit))
	}
	if n := limits.Pids; n != nil && n.Limit != nil && *n.Limit > 0 {
		stats.TasksLimit = new(uint64(*n.Limit))
	}
	return stats, nil
}
