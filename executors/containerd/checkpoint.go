package containerd

import (
	"context"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/criu"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Checkpoint implements [executor.Checkpointer].
func (b *Backend) Checkpoint(ctx context.Context, ref executor.Ref, c executor.Checkpoint) error {
	return criu.Once(c, func() error { return b.Backend.Checkpoint(ctx, ref, c) })
}

// Checkpoint implements [lifecycle.Checkpointer]. With a directory in the options containerd
// leaves the checkpoint there, and makes no image of it.
func (p *process) Checkpoint(ctx context.Context, c executor.Checkpoint) error {
	if runtimes.KindOf(p.shim) != runtimes.KindRunc {
		return criu.Unsupported(p.shim)
	}
	if err := p.driver.ready(ctx); err != nil {
		return err
	}
	draft, err := criu.Begin(c.Dir)
	if err != nil {
		return err
	}
	options, err := draft.Options(c)
	if err == nil {
		_, err = p.driver.conn.tasks.Checkpoint(ctx, &tasksapi.CheckpointTaskRequest{ContainerID: p.cid, Options: options})
	}
	if err == nil {
		return draft.Keep()
	}
	if unsure(err) { // the draft may be completed yet
		return executor.Errorf(executor.OutcomeUnknown, "checkpoint of %s: %w", p.ref, err)
	}
	task, terr := p.driver.taskOf(ctx, p.cid)
	switch {
	case errdefs.IsNotFound(err), terr == nil && (task == nil || task.GetStatus() == tasktypes.Status_STOPPED):
		err = lifecycle.ErrEnded
	case errdefs.IsNotImplemented(err):
		err = executor.Errorf(executor.Unsupported, "the shim of %s: %w", p.ref, err)
	default:
		err = criu.ExplainDump(err, draft.Work(), p.driver.path(ctx))
	}
	if derr := draft.Discard(); derr != nil {
		p.driver.log.Warn("the draft of a checkpoint is not removed", "ref", p.ref, "error", derr)
	}
	return err
}

// explainRestore explains why a start has failed, if it was one from a checkpoint.
func (d *driver) explainRestore(ctx context.Context, p *plan, err error) error {
	return p.from.Explain(err, d.path(ctx))
}

// path returns where the shims of the daemon look for programs, empty if that is not known.
func (d *driver) path(ctx context.Context) string {
	info, err := d.conn.info(ctx)
	if err != nil {
		return ""
	}
	return info.path
}
