package runcshim

import (
	"context"
	"os"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
)

// guardInterval is longer than an executor's, which comes first where there is
// one: every container has a shim.
const guardInterval = 5 * time.Second

// guarded is the task service, and goes on with output whose copier a full disk
// has ended. Other shims need an executor for that.
type guarded struct {
	taskapi.TTRPCTaskService
	guard *spool.Guard
}

func withGuard(tasks taskapi.TTRPCTaskService) guarded {
	return guarded{tasks, spool.NewGuard(nil, guardInterval)} // ends with the process
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
		stdio := executor.Stdio{Stdout: fileAt(r.Stdout), Stderr: fileAt(r.Stderr)}
		g.guard.Watch(executor.Ref{ID: r.ID, Attempt: 1}, stdio, int(resp.Pid))
	}
	return resp, err
}

// fileAt gives the stream of a plain file, or none.
func fileAt(path string) executor.Stream {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return executor.Stream{}
	}
	return executor.Stream{Kind: executor.StreamFile, Path: path}
}
