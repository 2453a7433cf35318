package minishim

import (
	"context"
	"os"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
)

// state returns the state of a process. If the container is paused, so are all of its
// processes.
func (s *service) state(_ context.Context, r *taskapi.StateRequest) (*taskapi.StateResponse, error) {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	resp := &taskapi.StateResponse{
		ID: c.id, ExecID: p.id, Bundle: c.bundle, Pid: uint32(p.number()), Status: p.status(),
		Stdin: p.stdio.stdin, Stdout: p.stdio.stdout.Path, Stderr: p.stdio.stderr.Path, Terminal: p.stdio.terminal,
	}
	if resp.Status == tasktypes.Status_RUNNING && c.isPaused() {
		resp.Status = tasktypes.Status_PAUSED
	}
	resp.ExitStatus, resp.ExitedAt = p.exitStatus()
	return resp, nil
}

// wait waits for the end of a process.
func (s *service) wait(ctx context.Context, r *taskapi.WaitRequest) (*taskapi.WaitResponse, error) {
	_, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	select {
	case <-p.exited:
		resp := &taskapi.WaitResponse{}
		resp.ExitStatus, resp.ExitedAt = p.exitStatus()
		return resp, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect returns the pids of the shim and the container's first process.
func (s *service) connect(_ context.Context, r *taskapi.ConnectRequest) (*taskapi.ConnectResponse, error) {
	_, p, err := s.find(r.GetID(), "")
	if err != nil {
		return nil, err
	}
	return &taskapi.ConnectResponse{ShimPid: uint32(os.Getpid()), TaskPid: uint32(p.number())}, nil
}
