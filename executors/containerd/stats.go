package containerd

import (
	"context"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Stats implements [lifecycle.Meter].
func (p *process) Stats(ctx context.Context) (executor.Stats, error) {
	if err := p.driver.ready(ctx); err != nil {
		return executor.Stats{}, err
	}
	task, err := p.driver.taskOf(ctx, p.cid)
	switch {
	case err != nil:
		return executor.Stats{}, oci.Fault(err)
	case task == nil, task.GetStatus() == tasktypes.Status_STOPPED:
		return executor.Stats{}, lifecycle.ErrEnded
	}
	return oci.Stats(int(task.GetPid()), p.cid)
}
