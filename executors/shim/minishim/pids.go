package minishim

import (
	"context"
	"encoding/json"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
)

// pids lists all processes of the container, those of execs with their ids.
func (s *service) pids(ctx context.Context, r *taskapi.PidsRequest) (*taskapi.PidsResponse, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	var pids []uint32
	text, err := c.runc.output(ctx, "ps", "--format", "json", c.id)
	if c.first.ended() { // the runtime may find that it has none
		return nil, fmt.Errorf("container %s has ended: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return nil, fmt.Errorf("OCI runtime ps failed: %w", err)
	}
	if err := json.Unmarshal(text, &pids); err != nil {
		return nil, fmt.Errorf("OCI runtime ps: %w", err)
	}
	execs := make(map[uint32]string)
	for _, p := range c.list() {
		if p.id != "" && !p.ended() {
			execs[uint32(p.number())] = p.id
		}
	}
	resp := &taskapi.PidsResponse{}
	for _, pid := range pids {
		info := &tasktypes.ProcessInfo{Pid: pid}
		if id := execs[pid]; id != "" {
			if info.Info, err = typeurl.MarshalAnyToProto(&options.ProcessDetails{ExecID: id}); err != nil {
				return nil, err
			}
		}
		resp.Processes = append(resp.Processes, info)
	}
	return resp, nil
}
