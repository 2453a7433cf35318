package minishim

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/emptypb"
)

// askTimeout bounds a question to the runtime after a call that has failed.
const askTimeout = 5 * time.Second

// pause freezes all processes of the container.
func (s *service) pause(ctx context.Context, r *taskapi.PauseRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.freeze(ctx, r.GetID(), "pause", true)
}

// resume lets the processes of the container continue.
func (s *service) resume(ctx context.Context, r *taskapi.ResumeRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.freeze(ctx, r.GetID(), "resume", false)
}

// freeze pauses or resumes the container. It does nothing if the container is in that
// state already.
func (s *service) freeze(ctx context.Context, id, command string, paused bool) error {
	c, err := s.get(id)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	if err := c.running(); err != nil || c.isPaused() == paused {
		return err
	}
	err = c.runc.call(ctx, nil, command, c.id)
	if err != nil {
		paused = c.askPaused(ctx, !paused)
	}
	c.setPaused(paused)
	if c.isKilled() {
		// The kill came before it could see that a thaw is needed.
		if terr := c.thaw(ctx); terr != nil || err == nil {
			return terr
		}
		if c.running() == nil {
			return fmt.Errorf("container %s is being killed: %w", c.id, errdefs.ErrFailedPrecondition)
		}
	}
	return c.failed(command, err)
}

// askPaused asks the runtime whether the container is paused, since a call that
// failed, or was killed, may have changed that. Without an answer it returns before.
func (c *container) askPaused(ctx context.Context, before bool) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	defer cancel()
	var state struct {
		Status string `json:"status"`
	}
	text, err := c.runc.output(ctx, "state", c.id)
	if err != nil || json.Unmarshal(text, &state) != nil {
		return before
	}
	return state.Status == "paused"
}

// thaw lets a SIGKILL act. In a freezer of cgroup v1 a SIGKILL acts at the thaw, and
// not every runtime thaws when it kills. In v2 there may be nothing left to thaw.
func (c *container) thaw(ctx context.Context) error {
	if !c.isPaused() {
		return nil
	}
	err := c.runc.call(ctx, nil, "resume", c.id)
	if err == nil || !c.askPaused(ctx, true) {
		c.setPaused(false)
		return nil
	}
	if c.first.ended() {
		return nil
	}
	return c.failed("resume", err)
}

func (c *container) isPaused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused
}

func (c *container) setPaused(paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = paused
}

func (c *container) isKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed
}

func (c *container) setKilled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
}
