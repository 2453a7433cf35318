package shim

import (
	"context"
	"encoding/json"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Update implements [lifecycle.Updater].
func (p *process) Update(ctx context.Context, resources json.RawMessage) error {
	t := p.connection()
	if t == nil {
		return p.unreachable()
	}
	changes, err := oci.Resources(resources)
	if err != nil {
		return err
	}
	if changes != nil {
		err = t.update(ctx, changes)
	}
	if err == nil && changes != nil {
		return nil
	}
	st, serr := t.state(ctx)
	switch {
	case errdefs.IsNotFound(serr), gone(serr), serr == nil && st.GetStatus() == tasktypes.Status_STOPPED:
		return lifecycle.ErrEnded
	case errdefs.IsNotImplemented(err):
		return executor.Errorf(executor.Unsupported, "the shim of %s: %w", p.Ref, err)
	}
	return oci.Fault(err)
}
