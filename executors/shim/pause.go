package shim

import (
	"context"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Pause implements [lifecycle.Pauser].
func (p *process) Pause(ctx context.Context) error {
	return p.transition(ctx, (*task).pause, tasktypes.Status_PAUSED)
}

// Resume implements [lifecycle.Pauser].
func (p *process) Resume(ctx context.Context) error {
	return p.transition(ctx, (*task).resume, tasktypes.Status_RUNNING)
}

// thaw resumes a paused task that was killed: with cgroups of version 1, frozen
// processes do not even die. The task may have died all the same.
func (t *task) thaw(ctx context.Context) {
	if st, err := t.state(ctx); err == nil && st.GetStatus() == tasktypes.Status_PAUSED {
		_ = t.resume(ctx)
	}
}

// transition makes a call after which the task has the status to. Shims refuse the
// call if the task has the status already, each with an error text of its own.
func (p *process) transition(ctx context.Context, call func(*task, context.Context) error, to tasktypes.Status) error {
	t := p.connection()
	if t == nil {
		return p.unreachable()
	}
	begun := time.Now()
	for {
		err := call(t, ctx)
		if err == nil {
			return nil
		}
		st, serr := t.state(ctx)
		switch {
		case errdefs.IsNotFound(serr), gone(serr), serr == nil && st.GetStatus() == tasktypes.Status_STOPPED:
			return lifecycle.ErrEnded
		case serr == nil && st.GetStatus() == to:
			return nil
		case errdefs.IsNotImplemented(err):
			return executor.Errorf(executor.Unsupported, "the shim of %s: %w", p.Ref, err)
		case serr == nil && to == tasktypes.Status_PAUSED && time.Since(begun) < quirks.FreezeFor && oci.Pause(ctx, quirks.FreezePause):
			continue
		}
		return oci.Fault(err)
	}
}
