package shim

import (
	"context"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Stats implements [lifecycle.Meter].
func (p *process) Stats(ctx context.Context) (executor.Stats, error) {
	t := p.connection()
	if t == nil {
		return executor.Stats{}, p.unreachable()
	}
	st, err := t.state(ctx)
	switch {
	case errdefs.IsNotFound(err), gone(err), err == nil && st.GetStatus() == tasktypes.Status_STOPPED:
		return executor.Stats{}, lifecycle.ErrEnded
	case err != nil:
		return executor.Stats{}, oci.Fault(err)
	}
	return oci.Stats(int(st.GetPid()), p.CID)
}
