package minishim

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"google.golang.org/protobuf/types/known/emptypb"
)

// exec adds a further process to the container, which Start creates.
func (s *service) exec(_ context.Context, r *taskapi.ExecProcessRequest) (*emptypb.Empty, error) {
	c, err := s.get(r.GetID())
	if err != nil {
		return nil, err
	}
	if r.GetExecID() == "" {
		return nil, fmt.Errorf("an exec needs an id: %w", errdefs.ErrInvalidArgument)
	}
	var spec map[string]json.RawMessage
	if err := json.Unmarshal(r.GetSpec().GetValue(), &spec); err != nil || spec == nil {
		return nil, fmt.Errorf("process of exec %s: %w: %w", r.GetExecID(), err, errdefs.ErrInvalidArgument)
	}
	if spec["terminal"], err = json.Marshal(r.GetTerminal()); err != nil {
		return nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, c.addExec(r.GetExecID(), text, stdio{
		stdin: r.GetStdin(), stdout: s.stream(r.GetStdout()), stderr: s.stream(r.GetStderr()),
		terminal: r.GetTerminal(), owner: c.owner,
	})
}

func (c *container) addExec(id string, spec []byte, s stdio) error {
	if c.first.ended() {
		return fmt.Errorf("container %s has ended: %w", c.id, errdefs.ErrFailedPrecondition)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.execs[id] != nil {
		return fmt.Errorf("exec %s of container %s: %w", id, c.id, errdefs.ErrAlreadyExists)
	}
	c.made++
	p := newProcess(c.first.reaper, id, fmt.Sprintf("exec-%d", c.made), s)
	p.spec = spec
	c.execs[id] = p
	return nil
}

// startExec creates the process of an exec, which runs at once. An exec that cannot
// be started has ended.
func (c *container) startExec(ctx context.Context, p *process) error {
	if err := c.running(); err != nil {
		return err
	}
	// Whether the command has run could not be told if the runtime were killed because the
	// caller has died.
	ctx, cancel := p.abortable(ctx)
	defer cancel()
	file := filepath.Join(c.bundle, p.name+".json")
	err := os.WriteFile(file, p.spec, 0o600)
	if err == nil {
		err = p.make(ctx, c.runc, c.bundle, p.finish, "exec", "--detach", "--process", file, c.id)
	}
	_ = os.Remove(file)
	_ = os.Remove(filepath.Join(c.bundle, p.name+".pid"))
	if err != nil {
		p.finish(exit{Timestamp: time.Now(), Status: startFailed})
		if ended := c.running(); ended != nil {
			return ended
		}
		return err
	}
	p.setStarted()
	return nil
}

// execTimeout bounds the start of an exec whose caller sets no limit.
const execTimeout = 2 * time.Minute

// abortable returns a context with the deadline of a call, which goes on although its
// connection is closed, and ends with a deletion of the process.
func (p *process) abortable(call context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := call.Deadline()
	if !ok {
		deadline = time.Now().Add(execTimeout)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(call), deadline)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.abort = cancel
	return ctx, cancel
}

// abortStart ends a start that is under way.
func (p *process) abortStart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.abort != nil {
		p.abort()
	}
}

// letGo closes the streams of an exec that has ended when its output has drained. Those
// whom it has left behind may write for as long as the container runs.
func (c *container) letGo(ctx context.Context, p *process) {
	open, err := p.open()
	if err != nil {
		return
	}
	draining, cancel := context.WithTimeout(ctx, execDrainTimeout)
	defer cancel()
	if open.drain(draining) {
		open.close()
		return
	}
	c.mu.Lock()
	c.left = append(c.left, open)
	c.mu.Unlock()
	go func() { // ends with the container, or with this process
		open.drain(context.Background())
		open.close()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.left = slices.DeleteFunc(c.left, func(s *streams) bool { return s == open })
	}()
}

// deleteExec forgets an exec that has ended, or was never started.
func (c *container) deleteExec(ctx context.Context, p *process) error {
	if !p.isStarted() {
		p.abortStart()
	}
	p.op.Lock()
	defer p.op.Unlock()
	if p.isStarted() && !p.ended() {
		return fmt.Errorf("exec %s of container %s has not ended: %w", p.id, c.id, errdefs.ErrFailedPrecondition)
	}
	c.letGo(ctx, p)
	if !p.ended() {
		p.finish(exit{Timestamp: time.Now(), Status: startFailed})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.execs, p.id)
	return nil
}
