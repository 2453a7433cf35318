package minishim

import (
	"context"
	"fmt"
	"strconv"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/emptypb"
)

// kill sends a signal to a process, or to all of the container.
func (s *service) kill(ctx context.Context, r *taskapi.KillRequest) (*emptypb.Empty, error) {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	sig := unix.Signal(r.GetSignal())
	if p != c.first {
		return &emptypb.Empty{}, p.signal(sig)
	}
	return &emptypb.Empty{}, c.kill(ctx, sig, r.GetAll())
}

func (c *container) kill(ctx context.Context, sig unix.Signal, all bool) error {
	if sig == unix.SIGKILL && c.giveUp() {
		return nil
	}
	if c.first.ended() {
		return fmt.Errorf("container %s has ended: %w", c.id, errdefs.ErrNotFound)
	}
	if sig == unix.SIGKILL {
		c.setKilled()
	}
	number := strconv.Itoa(int(sig))
	var err error
	switch {
	case all && !c.spec.ownPIDs:
		err = c.runc.call(ctx, nil, "kill", "--all", c.id, number)
	case c.files().cgroups() == nil && sig != unix.SIGKILL:
		// The process may be a sandbox and not the workload's.
		err = c.runc.call(ctx, nil, "kill", c.id, number)
	default:
		err = c.first.signal(sig)
	}
	if err == nil && sig == unix.SIGKILL {
		err = c.thaw(ctx)
	}
	return err
}
