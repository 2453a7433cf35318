package shim

import (
	"context"
	"os"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/criu"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Checkpoint implements [executor.Checkpointer].
func (b *Backend) Checkpoint(ctx context.Context, ref executor.Ref, c executor.Checkpoint) error {
	return criu.Once(c, func() error { return b.Backend.Checkpoint(ctx, ref, c) })
}

// Checkpoint implements [lifecycle.Checkpointer].
func (p *process) Checkpoint(ctx context.Context, c executor.Checkpoint) error {
	t := p.connection()
	if t == nil {
		return p.unreachable()
	}
	draft, err := criu.Begin(c.Dir)
	if err != nil {
		return err
	}
	options, err := draft.Options(c)
	if err == nil {
		req := &taskapi.CheckpointTaskRequest{ID: t.cid, Path: draft.Images(), Options: options}
		err = t.call(ctx, "Checkpoint", req, &emptypb.Empty{})
	}
	if err == nil {
		return draft.Keep()
	}
	if ctx.Err() != nil || gone(err) { // the draft may be completed yet
		return executor.Errorf(executor.OutcomeUnknown, "checkpoint of %s: %w", p.Ref, err)
	}
	st, serr := t.state(ctx)
	switch {
	case errdefs.IsNotFound(serr), gone(serr), serr == nil && st.GetStatus() == tasktypes.Status_STOPPED:
		err = lifecycle.ErrEnded
	case errdefs.IsNotImplemented(err):
		err = executor.Errorf(executor.Unsupported, "the shim of %s: %w", p.Ref, err)
	default:
		err = criu.ExplainDump(err, draft.Work(), os.Getenv("PATH"))
	}
	if derr := draft.Discard(); derr != nil {
		p.driver.log.Warn("the draft of a checkpoint is not removed", "ref", p.Ref, "error", derr)
	}
	return err
}
