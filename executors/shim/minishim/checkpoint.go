package minishim

import (
	"context"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/emptypb"
)

// checkpoint writes the state of the container's processes to a directory.
func (s *service) checkpoint(ctx context.Context, r *taskapi.CheckpointTaskRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	var o options.CheckpointOptions
	if r.GetOptions() != nil {
		if err := r.GetOptions().UnmarshalTo(&o); err != nil {
			return nil, fmt.Errorf("options: %w: %w", err, errdefs.ErrInvalidArgument)
		}
	}
	c.op.Lock()
	defer c.op.Unlock()
	if err := c.running(); err != nil {
		return nil, err
	}
	args := append(checkpointArgs(r.GetPath(), &o), c.id)
	if err := c.runc.call(ctx, nil, args...); err != nil {
		return nil, fmt.Errorf("OCI runtime checkpoint failed: %w", err)
	}
	return &emptypb.Empty{}, nil
}

func checkpointArgs(path string, o *options.CheckpointOptions) []string {
	args := []string{"checkpoint", "--image-path", path}
	if o.GetWorkPath() != "" {
		args = append(args, "--work-path", o.GetWorkPath())
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{
		{!o.GetExit(), "--leave-running"},
		{o.GetOpenTcp(), "--tcp-established"},
		{o.GetExternalUnixSockets(), "--ext-unix-sk"},
		{o.GetTerminal(), "--shell-job"},
		{o.GetFileLocks(), "--file-locks"},
	} {
		if flag.set {
			args = append(args, flag.name)
		}
	}
	for _, ns := range o.GetEmptyNamespaces() {
		args = append(args, "--empty-ns", ns)
	}
	return args
}
