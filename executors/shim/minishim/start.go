package minishim

import (
	"context"
	"fmt"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/linux"
)

// start starts the first process, or creates that of an exec.
func (s *service) start(ctx context.Context, r *taskapi.StartRequest) (*taskapi.StartResponse, error) {
	c, p, err := s.find(r.GetID(), r.GetExecID())
	if err != nil {
		return nil, err
	}
	p.op.Lock()
	defer p.op.Unlock()
	if p.ended() || p.isStarted() {
		return nil, fmt.Errorf("process %q of container %s was started already: %w", p.id, c.id, errdefs.ErrFailedPrecondition)
	}
	if p != c.first {
		err = c.startExec(ctx, p)
	} else if c.restored != nil {
		err = c.restore(ctx)
	} else {
		err = c.start(ctx)
	}
	if err != nil {
		return nil, err
	}
	return &taskapi.StartResponse{Pid: uint32(p.number())}, nil
}

// start starts the first process, without the runtime where it can.
func (c *container) start(ctx context.Context) error {
	done, err := c.files().release(c.first.exited)
	if !done {
		err = c.runc.call(ctx, nil, "start", c.id)
	}
	if err != nil {
		return fmt.Errorf("OCI runtime start failed: %w", err)
	}
	if err := c.awaitExec(ctx); err != nil {
		return err
	}
	c.first.setStarted()
	return nil
}

// execWait bounds the wait for the workload to be executed: after that the start is
// answered. Hooks of the kind startContainer run in between.
const execWait = 2 * time.Second

// awaitExec waits until an init of runc's has executed the workload. The error is
// ErrAborted if it has ended without that. Then all output is its own, and has drained.
func (c *container) awaitExec(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, execWait)
	defer cancel()
	pid := c.first.number()
	for wait := 20 * time.Microsecond; !c.first.ended() && isInit(pid); wait = min(2*wait, 5*time.Millisecond) {
		if !oci.Pause(waiting, wait) {
			return nil
		}
	}
	if s, err := linux.StatOf(pid); err != nil || s.State == 'Z' {
		<-c.first.exited // the reaper sees it, or has seen it
	}
	if !c.first.ended() || !c.first.exit.NeverRan {
		return nil
	}
	if streams, err := c.first.open(); err == nil {
		draining, cancel := context.WithTimeout(ctx, DrainTimeout)
		defer cancel()
		streams.drain(draining)
	}
	return fmt.Errorf("the runtime ended before it had executed the command: %w", errdefs.ErrAborted)
}
