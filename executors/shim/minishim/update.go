package minishim

import (
	"context"
	"os"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"google.golang.org/protobuf/types/known/emptypb"
)

// update changes the resource limits of the container: those of the OCI spec, as
// JSON.
func (s *service) update(ctx context.Context, r *taskapi.UpdateTaskRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	c.op.Lock()
	defer c.op.Unlock()
	f, err := os.CreateTemp(c.bundle, "resources-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(r.GetResources().GetValue()); err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.failed("update", c.runc.call(ctx, nil, "update", "--resources", f.Name(), c.id))
}
