package minishim

import (
	"context"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/linux"
)

// create creates the container. Its first process waits for its start.
func (s *service) create(ctx context.Context, r *taskapi.CreateTaskRequest) (*taskapi.CreateTaskResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.container != nil || s.down {
		return nil, fmt.Errorf("container %s: %w", r.GetID(), errdefs.ErrAlreadyExists)
	}
	c, err := s.newContainer(ctx, r)
	if err != nil {
		return nil, err
	}
	s.container = c
	return &taskapi.CreateTaskResponse{Pid: uint32(c.first.pid)}, nil
}

// newContainer creates a container, or leaves nothing behind.
func (s *service) newContainer(ctx context.Context, r *taskapi.CreateTaskRequest) (*container, error) {
	var o options.Options
	if r.GetOptions() != nil {
		if err := r.GetOptions().UnmarshalTo(&o); err != nil {
			return nil, fmt.Errorf("options: %w: %w", err, errdefs.ErrInvalidArgument)
		}
	}
	if o.GetShimCgroup() != "" {
		if err := joinCgroup(o.GetShimCgroup()); err != nil {
			return nil, fmt.Errorf("shim cgroup %s: %w", o.GetShimCgroup(), err)
		}
	}
	c := &container{
		id: r.GetID(), bundle: r.GetBundle(), runc: newRunc(s.namespace, s.reaper, r, &o),
		owner: capture.Owner{UID: int(o.GetIoUid()), GID: int(o.GetIoGid())}, execs: make(map[string]*process),
	}
	c.first = newProcess(s.reaper, "", "init", stdio{
		stdin: r.GetStdin(), stdout: s.stream(r.GetStdout()), stderr: s.stream(r.GetStderr()),
		terminal: r.GetTerminal(), owner: c.owner,
	})
	var err error
	if c.spec, err = readSpec(c.bundle); err != nil {
		return nil, err
	}
	if err = linux.Reserve(exitFile(c.bundle)); err != nil {
		return nil, err
	}
	args := []string{"--bundle", c.bundle}
	if o.GetNoPivotRoot() {
		args = append(args, "--no-pivot")
	}
	if o.GetNoNewKeyring() {
		args = append(args, "--no-new-keyring")
	}
	if r.GetCheckpoint() != "" {
		c.restored = append(restoreArgs(r.GetCheckpoint(), &o), args...)
		c.restored = append(c.restored, c.id)
		return c, nil // its start restores it
	}
	if err = c.first.make(ctx, c.runc, c.bundle, c.reaped, "create", append(args, c.id)...); err != nil {
		return nil, err
	}
	return c, nil
}
