package host

import (
	"context"

	"github.com/davit-run/davit/host/internal/containers"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Stats returns what the processes of a container use. The error for a container that does
// not run is [executor.FailedPrecondition].
func (h *Host) Stats(ctx context.Context, reference string) (executor.Stats, error) {
	return containers.Act(ctx, h.containers, reference, transport.MethodStats, containers.Action[executor.Ref]{Request: containers.Itself})
}
