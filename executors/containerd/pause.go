package containerd

import (
	"context"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Pause implements [lifecycle.Pauser].
func (p *process) Pause(ctx context.Context) error {
	return p.transition(ctx, tasktypes.Status_PAUSED, func() error {
		_, err := p.driver.conn.tasks.Pause(ctx, &tasksapi.PauseTaskRequest{ContainerID: p.cid})
		return err
	})
}

// Resume implements [lifecycle.Pauser].
func (p *process) Resume(ctx context.Context) error {
	return p.transition(ctx, tasktypes.Status_RUNNING, func() error {
		_, err := p.driver.conn.tasks.Resume(ctx, &tasksapi.ResumeTaskRequest{ContainerID: p.cid})
		return err
	})
}

// transition makes a call after which the task has the status to. Shims refuse the
// call if the task has the status already, each with an error text of its own.
func (p *process) transition(ctx context.Context, to tasktypes.Status, call func() error) error {
	if err := p.driver.ready(ctx); err != nil {
		return err
	}
	begun := time.Now()
	for {
		err := call()
		if err == nil {
			return nil
		}
		if errdefs.IsNotFound(err) {
			return lifecycle.ErrEnded
		}
		task, terr := p.driver.taskOf(ctx, p.cid)
		switch {
		case terr != nil:
		case task == nil, task.GetStatus() == tasktypes.Status_STOPPED:
			return lifecycle.ErrEnded
		case task.GetStatus() == to:
			return nil
		case errdefs.IsNotImplemented(err):
			return executor.Errorf(executor.Unsupported, "the shim of %s: %w", p.ref, err)
		case to == tasktypes.Status_PAUSED && time.Since(begun) < quirks.FreezeFor && oci.Pause(ctx, quirks.FreezePause):
			continue
		}
		return oci.Fault(err)
	}
}

// thaw resumes a paused task that was killed: with cgroups of version 1, frozen
// processes do not even die. The task may have died all the same.
func (d *driver) thaw(ctx context.Context, cid string) {
	if task, err := d.taskOf(ctx, cid); err == nil && task.GetStatus() == tasktypes.Status_PAUSED {
		_, _ = d.conn.tasks.Resume(ctx, &tasksapi.ResumeTaskRequest{ContainerID: cid})
	}
}
