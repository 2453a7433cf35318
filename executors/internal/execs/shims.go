package execs

import (
	"context"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Shims reaches the shims of a backend.
type Shims interface {
	// Reach returns the task of an attempt, which the caller closes. The error is
	// [executor.NotFound] if nothing of the attempt can run any more.
	Reach(ctx context.Context, ref executor.Ref) (Task, error)
}

// Task is the task of an attempt. Its methods call the shim, about the process of an exec
// id, or the first one if that is empty. Errors are those of containerd/errdefs.
type Task interface {
	// Merges reports whether the shim makes one stream of two with the same path.
	Merges() bool
	// Finishes reports whether the shim carries a start out although its caller has gone.
	// Otherwise a start that was cut off may have taken place, whatever State says.
	Finishes() bool
	Exec(ctx context.Context, r *taskapi.ExecProcessRequest) error
	Start(ctx context.Context, exec string) (pid int, err error)
	State(ctx context.Context, exec string) (State, error)
	Wait(ctx context.Context, exec string) (State, error)
	Kill(ctx context.Context, exec string, sig executor.Signal) error
	Delete(ctx context.Context, exec string) error
	CloseInput(ctx context.Context, exec string) error
	Resize(ctx context.Context, exec string, size executor.TerminalSize) error
	Close()
}

// State is that of a process. Wait returns the exit alone.
type State struct {
	PID      int
	Status   tasktypes.Status
	Code     uint32
	At       time.Time
	Input    bool
	Terminal bool
}

// KeepInput keeps the input of a process that is about to be started, for as long as its
// shim may take to keep it: until CloseInput or EndInput.
func (d *Driver) KeepInput(ref executor.Ref, stdin executor.Stream) error {
	if err := d.fifos.KeepInput(ref, stdin); err != nil {
		return executor.Errorf(executor.Invalid, "stdin: %w", err)
	}
	return nil
}

// EndInput is called when a process has ended, or is no longer watched.
func (d *Driver) EndInput(ref executor.Ref) { d.fifos.CloseInput(ref) }

// CloseInput ends the input of a process.
func (d *Driver) CloseInput(ctx context.Context, t Task, ref executor.Ref) error {
	st, err := stateOf(ctx, t, ref)
	if err == nil && !st.Input {
		return executor.Errorf(executor.FailedPrecondition, "%s has no input", ref)
	}
	if err == nil {
		err = fault(t.CloseInput(ctx, ref.Exec))
	}
	if err == nil {
		d.fifos.CloseInput(ref)
	}
	return err
}

// Resize sets the size of the terminal of a process.
func Resize(ctx context.Context, t Task, ref executor.Ref, size executor.TerminalSize) error {
	st, err := stateOf(ctx, t, ref)
	if err == nil && !st.Terminal {
		return executor.Errorf(executor.FailedPrecondition, "%s has no terminal", ref)
	}
	if err == nil {
		err = fault(t.Resize(ctx, ref.Exec, size))
	}
	return err
}

func stateOf(ctx context.Context, t Task, ref executor.Ref) (State, error) {
	st, err := t.State(ctx, ref.Exec)
	if err == nil && st.Status == tasktypes.Status_STOPPED {
		return st, lifecycle.ErrEnded
	}
	return st, fault(err)
}

// fault is [oci.Fault] for the error of a call about a process.
func fault(err error) error {
	if errdefs.IsNotFound(err) {
		return lifecycle.ErrEnded
	}
	return oci.Fault(err)
}
