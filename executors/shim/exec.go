package shim

import (
	"context"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/davit-run/davit/executors/internal/execs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Declares implements [executor.Declarer].
func (*Backend) Declares() []executor.Capability { return []executor.Capability{executor.CapExec} }

// Reach implements [execs.Shims].
func (d *driver) Reach(ctx context.Context, ref executor.Ref) (execs.Task, error) {
	r, err := d.record(ref.ID)
	if err != nil {
		return nil, err
	}
	none := executor.Errorf(executor.NotFound, "container %s has no shim", ref)
	if r.Ref != ref || r.Boot != d.boot {
		return nil, none
	}
	t, err := d.reach(ctx, r)
	switch {
	case err == nil:
	case gone(err) && !d.shimLives(r):
		return nil, none
	default:
		return nil, executor.Errorf(executor.Unavailable, "container %s: its shim does not answer: %w", ref, err)
	}
	// The shim of the next attempt may have taken the place of this one's by now.
	if again, err := d.record(ref.ID); err != nil || again.Ref != ref {
		t.close()
		return nil, none
	}
	return execTask{t, r}, nil
}

// execTask is the task of an attempt, for the processes in it.
type execTask struct {
	t *task
	r record
}

var _ execs.Task = execTask{}

func (e execTask) Merges() bool   { return e.r.ownShim() }
func (e execTask) Finishes() bool { return e.r.ownShim() }

func (e execTask) Exec(ctx context.Context, r *taskapi.ExecProcessRequest) error {
	r.ID = e.t.cid
	return e.t.call(ctx, "Exec", r, &emptypb.Empty{})
}

func (e execTask) Start(ctx context.Context, exec string) (int, error) {
	var resp taskapi.StartResponse
	err := e.t.call(ctx, "Start", &taskapi.StartRequest{ID: e.t.cid, ExecID: exec}, &resp)
	return int(resp.GetPid()), err
}

func (e execTask) State(ctx context.Context, exec string) (execs.State, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var resp taskapi.StateResponse
	err := e.t.call(ctx, "State", &taskapi.StateRequest{ID: e.t.cid, ExecID: exec}, &resp)
	return execs.State{
		PID: int(resp.GetPid()), Status: resp.GetStatus(), Code: resp.GetExitStatus(), At: resp.GetExitedAt().AsTime(),
		Input: resp.GetStdin() != "", Terminal: resp.GetTerminal(),
	}, err
}

func (e execTask) Wait(ctx context.Context, exec string) (execs.State, error) {
	var resp taskapi.WaitResponse
	err := e.t.call(ctx, "Wait", &taskapi.WaitRequest{ID: e.t.cid, ExecID: exec}, &resp)
	return execs.State{Code: resp.GetExitStatus(), At: resp.GetExitedAt().AsTime()}, err
}

func (e execTask) Kill(ctx context.Context, exec string, sig executor.Signal) error {
	return e.t.call(ctx, "Kill", &taskapi.KillRequest{ID: e.t.cid, ExecID: exec, Signal: uint32(sig)}, &emptypb.Empty{})
}

func (e execTask) Delete(ctx context.Context, exec string) error {
	return e.t.call(ctx, "Delete", &taskapi.DeleteRequest{ID: e.t.cid, ExecID: exec}, &taskapi.DeleteResponse{})
}

func (e execTask) CloseInput(ctx context.Context, exec string) error {
	return e.t.call(ctx, "CloseIO", &taskapi.CloseIORequest{ID: e.t.cid, ExecID: exec, Stdin: true}, &emptypb.Empty{})
}

func (e execTask) Resize(ctx context.Context, exec string, size executor.TerminalSize) error {
	return e.t.call(ctx, "ResizePty", &taskapi.ResizePtyRequest{
		ID: e.t.cid, ExecID: exec, Width: uint32(size.Width), Height: uint32(size.Height),
	}, &emptypb.Empty{})
}

func (e execTask) Close() { e.t.close() }

// CloseInput implements [lifecycle.InputCloser].
func (p *process) CloseInput(ctx context.Context) error {
	return p.ask(func(t execs.Task) error { return p.driver.execs.CloseInput(ctx, t, p.Ref) })
}

// Resize implements [lifecycle.Resizer].
func (p *process) Resize(ctx context.Context, size executor.TerminalSize) error {
	return p.ask(func(t execs.Task) error { return execs.Resize(ctx, t, p.Ref, size) })
}

// ask calls fn with the task.
func (p *process) ask(fn func(execs.Task) error) error {
	t := p.connection()
	if t == nil {
		return p.unreachable()
	}
	err := fn(execTask{t, p.record})
	if gone(err) {
		return lifecycle.ErrEnded
	}
	return oci.Fault(err)
}
