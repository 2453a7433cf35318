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
	return stats, nil
}
