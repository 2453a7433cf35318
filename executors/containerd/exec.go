package containerd

import (
	"context"
	"fmt"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/execs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"google.golang.org/grpc"
)

// Declares implements [executor.Declarer].
func (*Backend) Declares() []executor.Capability { return []executor.Capability{executor.CapExec} }

// Reach implements [execs.Shims].
func (d *driver) Reach(ctx context.Context, ref executor.Ref) (execs.Task, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	r, err := d.record(ctx, ref.ID)
	if err != nil && !errdefs.IsNotFound(err) {
		return nil, oci.Fault(err)
	}
	none := executor.Errorf(executor.NotFound, "container %s has no task", ref)
	if err != nil || r.ref != ref || r.boot != d.boot {
		return nil, none
	}
	task, err := d.taskOf(ctx, r.cid)
	switch {
	case err != nil:
		return nil, executor.Errorf(executor.Unavailable, "container %s: %w", ref, err)
	case task == nil && shimLives(r.cid):
		return nil, executor.Errorf(executor.Unavailable, "container %s: containerd does not know its shim any more", ref)
	case task == nil:
		return nil, none
	}
	return execTask{d, r.cid}, nil
}

// execTask is the task of an attempt, for the processes in it.
type execTask struct {
	d   *driver
	cid string
}

var _ execs.Task = execTask{}

func (execTask) Merges() bool   { return false }
func (execTask) Finishes() bool { return false }

// known returns the error of a call about a process. That of a process whose shim
// containerd has lost does not say that there is no process.
func (e execTask) known(ctx context.Context, err error) error {
	if !errdefs.IsNotFound(err) {
		return err
	}
	if task, terr := e.d.taskOf(ctx, e.cid); terr != nil || task == nil && shimLives(e.cid) {
		return fmt.Errorf("%w: %w", errdefs.ErrUnavailable, executor.Errorf(executor.Unavailable, "%w", err))
	}
	return err
}

func (e execTask) Exec(ctx context.Context, r *taskapi.ExecProcessRequest) error {
	_, err := e.d.conn.tasks.Exec(ctx, &tasksapi.ExecProcessRequest{
		ContainerID: e.cid, ExecID: r.GetExecID(), Spec: r.GetSpec(), Terminal: r.GetTerminal(),
		Stdin: r.GetStdin(), Stdout: r.GetStdout(), Stderr: r.GetStderr(),
	})
	return err
}

func (e execTask) Start(ctx context.Context, exec string) (int, error) {
	resp, err := e.d.conn.tasks.Start(ctx, &tasksapi.StartRequest{ContainerID: e.cid, ExecID: exec})
	return int(resp.GetPid()), err
}

func (e execTask) State(ctx context.Context, exec string) (execs.State, error) {
	resp, err := e.d.conn.tasks.Get(ctx, &tasksapi.GetRequest{ContainerID: e.cid, ExecID: exec})
	p := resp.GetProcess()
	return execs.State{
		PID: int(p.GetPid()), Status: p.GetStatus(), Code: p.GetExitStatus(), At: p.GetExitedAt().AsTime(),
		Input: p.GetStdin() != "", Terminal: p.GetTerminal(),
	}, e.known(ctx, err)
}

func (e execTask) Wait(ctx context.Context, exec string) (execs.State, error) {
	resp, err := e.d.conn.tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: e.cid, ExecID: exec}, grpc.WaitForReady(true))
	return execs.State{Code: resp.GetExitStatus(), At: resp.GetExitedAt().AsTime()}, e.known(ctx, err)
}

func (e execTask) Kill(ctx context.Context, exec string, sig executor.Signal) error {
	_, err := e.d.conn.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: e.cid, ExecID: exec, Signal: uint32(sig)})
	return e.known(ctx, err)
}

func (e execTask) Delete(ctx context.Context, exec string) error {
	_, err := e.d.conn.tasks.DeleteProcess(ctx, &tasksapi.DeleteProcessRequest{ContainerID: e.cid, ExecID: exec})
	return e.known(ctx, err)
}

func (e execTask) CloseInput(ctx context.Context, exec string) error {
	_, err := e.d.conn.tasks.CloseIO(ctx, &tasksapi.CloseIORequest{ContainerID: e.cid, ExecID: exec, Stdin: true})
	return e.known(ctx, err)
}

func (e execTask) Resize(ctx context.Context, exec string, size executor.TerminalSize) error {
	_, err := e.d.conn.tasks.ResizePty(ctx, &tasksapi.ResizePtyRequest{
		ContainerID: e.cid, ExecID: exec, Width: uint32(size.Width), Height: uint32(size.Height),
	})
	return e.known(ctx, err)
}

func (execTask) Close() {}

// CloseInput implements [lifecycle.InputCloser].
func (p *process) CloseInput(ctx context.Context) error {
	return p.ask(ctx, func(t execs.Task) error { return p.driver.execs.CloseInput(ctx, t, p.ref) })
}

// Resize implements [lifecycle.Resizer].
func (p *process) Resize(ctx context.Context, size executor.TerminalSize) error {
	return p.ask(ctx, func(t execs.Task) error { return execs.Resize(ctx, t, p.ref, size) })
}

// ask calls fn with the task.
func (p *process) ask(ctx context.Context, fn func(execs.Task) error) error {
	if err := p.driver.ready(ctx); err != nil {
		return err
	}
	return fn(execTask{p.driver, p.cid})
}
