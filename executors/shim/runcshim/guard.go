package runcshim

import (
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
	"github.com/davit-run/davit/executors/internal/spool"
)

// guarded is the task service, and goes on with output whose copier a full disk
// has ended. Other shims need an executor for that.
type guarded struct {
	taskapi.TTRPCTaskService
}

// RegisterTTRPC makes the shim serve the tasks.
func (g guarded) RegisterTTRPC(server *ttrpc.Server) error {
	taskapi.RegisterTTRPCTaskService(server, g)
	return nil
}

// Create implements the service.
func (g guarded) Create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	resp, err := g.TTRPCTaskService.Create(ctx, r)
	if err == nil {
		spool.InShim(r.ID, r.Stdout, r.Stderr, int(resp.Pid))
	}
	return resp, err
}
