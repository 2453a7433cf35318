package minishim

import (
	"context"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
)

// delete waits until the output of an ended process has drained, and deletes the
// process. With the first process it deletes all that the runtime has of the
// container.
func (s *service) delete(ctx context.Context, r *taskapi.DeleteRequest) (*taskapi.DeleteResponse, error) {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	if p != c.first {
		err = c.deleteExec(ctx, p)
	} else if err = c.delete(ctx); err == nil {
		s.mu.Lock()
		s.container = nil
		s.mu.Unlock()
	}
	if err != nil {
		return nil, err
	}
	resp := &taskapi.DeleteResponse{Pid: uint32(p.number())}
	resp.ExitStatus, resp.ExitedAt = p.exitStatus()
	return resp, nil
}

func (c *container) delete(ctx context.Context) error {
	c.op.Lock()
	defer c.op.Unlock()
	if c.deleted {
		return fmt.Errorf("container %s: %w", c.id, errdefs.ErrNotFound)
	}
	if !c.first.ended() {
		return fmt.Errorf("container %s has not ended: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	draining, cancel := context.WithTimeout(ctx, DrainTimeout)
	defer cancel()
	for _, p := range c.list() {
		p.drain(draining)
	}
	for _, s := range c.leftBehind() {
		s.drain(draining)
	}
	if !c.files().remove() {
		if err := c.runc.call(ctx, nil, "delete", "--force", c.id); err != nil {
			return fmt.Errorf("OCI runtime delete failed: %w", err)
		}
	}
	c.deleted = true
	return nil
}
