package containerd

import (
	"context"
	"encoding/json"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Update implements [lifecycle.Updater].
func (p *process) Update(ctx context.Context, resources json.RawMessage) error {
	if err := p.driver.ready(ctx); err != nil {
		return err
	}
	changes, err := oci.Resources(resources)
	if err != nil {
		return err
	}
	if changes != nil {
		_, err = p.driver.conn.tasks.Update(ctx, &tasksapi.UpdateTaskRequest{ContainerID: p.cid, Resources: changes})
	}
	if err == nil && changes != nil {
		return nil
	}
	task, terr := p.driver.taskOf(ctx, p.cid)
	switch {
	case terr == nil && (task == nil || task.GetStatus() == tasktypes.Status_STOPPED):
		return lifecycle.ErrEnded
	case errdefs.IsNotImplemented(err):
		return executor.Errorf(executor.Unsupported, "the shim of %s: %w", p.ref, err)
	}
	return oci.Fault(err)
}
