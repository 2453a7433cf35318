package criu

import (
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Options returns what the shims of runc, and containerd, take for a checkpoint.
func (d Draft) Options(c executor.Checkpoint) (*anypb.Any, error) {
	value, err := proto.Marshal(&options.CheckpointOptions{Exit: !c.LeaveRunning, ImagePath: d.Images(), WorkPath: d.Work()})
	if err != nil {
		return nil, err
	}
	return &anypb.Any{TypeUrl: "containerd.runc.v1.CheckpointOptions", Value: value}, nil
}
