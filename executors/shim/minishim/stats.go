package minishim

import (
	"context"
	"fmt"

	"github.com/containerd/cgroups/v3"
	"github.com/containerd/cgroups/v3/cgroup1"
	"github.com/containerd/cgroups/v3/cgroup2"
	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
)

// stats reads the cgroups of the container: the answer is that of containerd's
// shims, whatever the runtime's own would be.
func (s *service) stats(_ context.Context, r *taskapi.StatsRequest) (*taskapi.StatsResponse, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	metrics, err := statsOf(c.first.number())
	if c.first.ended() { // whose cgroups these were is not known
		return nil, fmt.Errorf("container %s has ended: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return nil, err
	}
	resp := &taskapi.StatsResponse{}
	resp.Stats, err = typeurl.MarshalAnyToProto(metrics)
	return resp, err
}

// statsOf returns the statistics of the cgroups that a process is in. The root cgroup
// does not count: a process that has just died is in it, and its values are not those
// of one container.
func statsOf(pid int) (any, error) {
	if cgroups.Mode() != cgroups.Unified {
		path := cgroup1.PidPath(pid)
		cg, err := cgroup1.Load(func(name cgroup1.Name) (string, error) {
			p, err := path(name)
			if err == nil && p == "/" {
				err = cgroup1.ErrControllerNotActive
			}
			return p, err
		})
		if err != nil {
			return nil, err
		}
		return cg.Stat(cgroup1.IgnoreNotExist)
	}
	path, err := cgroup2.PidGroupPath(pid)
	if err == nil && path == "/" {
		err = errdefs.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	cg, err := cgroup2.Load(path)
	if err != nil {
		return nil, err
	}
	return cg.Stat()
}
