package execs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Process is a further process of an attempt.
type Process struct {
	driver *Driver
	record

	mu   sync.Mutex
	task Task // nil if there is no connection
}

var _ interface {
	lifecycle.Process
	lifecycle.Recorder
	lifecycle.Starter
	lifecycle.Closer
	lifecycle.InputCloser
	lifecycle.Resizer
} = (*Process)(nil)

// connection returns the connection to the shim, which it makes if there is none.
func (x *Process) connection(ctx context.Context) (Task, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.task != nil {
		return x.task, nil
	}
	t, err := x.driver.shims.Reach(ctx, x.Ref.Init())
	if err == nil {
		x.task = t
	}
	return t, err
}

// Close implements [lifecycle.Closer].
func (x *Process) Close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.task != nil {
		x.task.Close()
	}
	x.task = nil
}

// Start implements [lifecycle.Starter].
func (x *Process) Start(ctx context.Context) error {
	t, err := x.connection(ctx)
	if err == nil {
		_, err = t.Start(ctx, x.Ref.Exec)
	}
	return oci.Fault(err)
}

// Wait implements [lifecycle.Process].
func (x *Process) Wait(ctx context.Context) (*executor.Exit, error) {
	source := executor.Observed
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		t, err := x.connection(ctx)
		var end State
		if err == nil {
			end, err = t.Wait(ctx, x.Ref.Exec)
		}
		switch {
		case err == nil && end.At.Unix() <= 0: // see the package's doc
			return cutOff(), nil
		case err == nil:
			return oci.ExitOf(end.Code, end.At, source, oci.OOMSource{}), nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, executor.NotFound), errdefs.IsNotFound(err):
			return lostWithAttempt(), nil
		}
		x.driver.log.Debug("wait was interrupted", "ref", x.Ref, "error", err)
		x.Close()
		source = executor.Recovered
		if !oci.Pause(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}

// Record implements [lifecycle.Recorder].
func (x *Process) Record(_ context.Context, exit *executor.Exit) error {
	x.Exit = exit
	return x.driver.state.put(x.record)
}

// quiet is how long a file may be written by those whom a process has left behind. After
// that it is released without them.
const quiet = 2 * time.Second

// Release implements [lifecycle.Process]: it deletes the process when all its output has
// been read, or is in its files.
func (x *Process) Release(ctx context.Context) (executor.Output, error) {
	d := x.driver
	d.EndInput(x.Ref)
	output, err := d.fifos.Drained(ctx, x.Ref)
	if err != nil {
		return "", err
	}
	if output == executor.Complete {
		if output, err = x.end(ctx); err != nil {
			return "", err
		}
	}
	d.fifos.Drop(x.Ref)
	d.guard.Forget(x.Ref)
	x.Output = output
	return output, d.state.put(x.record)
}

// end deletes a process that has ended, unless others still write to its files.
func (x *Process) end(ctx context.Context) (executor.Output, error) {
	seen := x.driver.guard.Finish(ctx, x.Ref, quiet)
	t, err := x.connection(ctx)
	if err == nil && seen == "" && x.copied(ctx, t) {
		// Those whom it has left behind write on.
		return executor.Complete, ctx.Err()
	}
	if err == nil {
		err = x.delete(ctx, t)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		x.driver.log.Debug("a process cannot be deleted", "ref", x.Ref, "error", err)
		return cmp.Or(seen, executor.Truncated), nil
	}
	return cmp.Or(seen, executor.Complete), nil
}

// copied waits until its shim has no file of a process open for writing any more, and
// reports whether it still has after a while.
func (x *Process) copied(ctx context.Context, t Task) bool {
	if x.Stdio.Stdout.Kind != executor.StreamFile && x.Stdio.Stderr.Kind != executor.StreamFile {
		return false
	}
	first, err := t.State(ctx, "")
	if err != nil {
		return false
	}
	shim, err := linux.StatOf(first.PID)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	for wait := time.Millisecond; hasOpen(shim.Parent, x.Stdio); wait = min(2*wait, 50*time.Millisecond) {
		if !oci.Pause(ctx, wait) {
			return true
		}
	}
	return false
}

// hasOpen reports whether a process has a file open that is for output.
func hasOpen(pid int, stdio executor.Stdio) bool {
	var files []os.FileInfo
	for _, s := range []executor.Stream{stdio.Stdout, stdio.Stderr} {
		if info, err := os.Stat(s.Path); err == nil && s.Kind == executor.StreamFile {
			files = append(files, info)
		}
	}
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err == nil && slices.ContainsFunc(files, func(f os.FileInfo) bool { return os.SameFile(f, info) })
	})
}

// deleteTimeout is how long a shim may take to delete a process, for which it drains the
// output, for at most 10 s.
const deleteTimeout = 20 * time.Second

// delete deletes a process in its shim. It repeats the call while the shim is busy.
func (x *Process) delete(ctx context.Context, t Task) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	for tries := 0; ; tries++ {
		err := t.Delete(ctx, x.Ref.Exec)
		if err == nil || errdefs.IsNotFound(err) {
			x.Deleted = true
			return err
		}
		if tries >= 10 || !oci.Pause(ctx, min(time.Second, 20*time.Millisecond<<min(tries, 6))) {
			return err
		}
	}
}

// Signal implements [lifecycle.Process].
func (x *Process) Signal(ctx context.Context, sig executor.Signal) error {
	return x.call(ctx, func(t Task) error { return fault(t.Kill(ctx, x.Ref.Exec, sig)) })
}

// CloseInput implements [lifecycle.InputCloser].
func (x *Process) CloseInput(ctx context.Context) error {
	return x.call(ctx, func(t Task) error { return x.driver.CloseInput(ctx, t, x.Ref) })
}

// Resize implements [lifecycle.Resizer].
func (x *Process) Resize(ctx context.Context, size executor.TerminalSize) error {
	return x.call(ctx, func(t Task) error { return Resize(ctx, t, x.Ref, size) })
}

// call calls fn with the task, over a connection of its own: that of the watcher ends with
// it.
func (x *Process) call(ctx context.Context, fn func(Task) error) error {
	t, err := x.driver.shims.Reach(ctx, x.Ref.Init())
	if errors.Is(err, executor.NotFound) {
		return lifecycle.ErrEnded
	}
	if err != nil {
		return err
	}
	defer t.Close()
	return fn(t)
}

// Remove implements [lifecycle.Process].
func (x *Process) Remove(ctx context.Context) error {
	d := x.driver
	d.fifos.Drop(x.Ref)
	d.guard.Forget(x.Ref)
	if !x.Deleted && x.Boot == d.boot {
		if err := x.removeFromShim(ctx); err != nil {
			return err
		}
	}
	return d.state.remove(x.Ref)
}

// removeFromShim ends a process if it runs, and deletes it.
func (x *Process) removeFromShim(ctx context.Context) error {
	t, err := x.driver.shims.Reach(ctx, x.Ref.Init())
	if errors.Is(err, executor.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer t.Close()
	st, err := t.State(ctx, x.Ref.Exec)
	if err == nil && st.Status == tasktypes.Status_RUNNING {
		_ = t.Kill(ctx, x.Ref.Exec, unix.SIGKILL)
	}
	if err == nil {
		err = x.delete(ctx, t)
	}
	if errdefs.IsNotFound(err) || err != nil && x.driver.ended(ctx, x.Ref) {
		return nil
	}
	return oci.Fault(err)
}
