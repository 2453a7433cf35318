package minishim

import (
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"google.golang.org/protobuf/types/known/emptypb"
)

// resizePty sets the size of a process's terminal.
func (s *service) resizePty(_ context.Context, r *taskapi.ResizePtyRequest) (*emptypb.Empty, error) {
	_, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	streams, err := p.open()
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, streams.resize(uint16(r.GetWidth()), uint16(r.GetHeight()))
}

// closeIO ends the stdin of a process, once nobody else has it open for writing.
func (s *service) closeIO(_ context.Context, r *taskapi.CloseIORequest) (*emptypb.Empty, error) {
	_, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	streams, err := p.open()
	if err == nil && r.GetStdin() {
		streams.closeInput()
	}
	return &emptypb.Empty{}, err
}
