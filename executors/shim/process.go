package shim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// process is the task of a container, and the connection to its shim.
type process struct {
	driver *driver
	record
	oom   oci.OOMSource
	phase lifecycle.Phase // in which it was found
	pid   int             // then; 0 if it has ended
	// drained is what is known of the output once the task is deleted. Only the
	// watcher uses it.
	drained executor.Output

	mu   sync.Mutex
	task *task // nil when the shim is gone or cannot be reached, and after Close
	// unsure says that its shim did not answer when it was found, nor since.
	unsure bool
}

var _ interface {
	lifecycle.Process
	lifecycle.Recorder
	lifecycle.Starter
	lifecycle.Adopter
	lifecycle.Closer
	lifecycle.Pauser
	lifecycle.Updater
	lifecycle.Checkpointer
	lifecycle.InputCloser
	lifecycle.Resizer
} = (*process)(nil)

// connection returns the connection to the shim, nil if there is none.
func (p *process) connection() *task {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.task
}

// replaceTask replaces the connection to the shim, by nil when the shim is gone.
func (p *process) replaceTask(t *task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.task != nil && p.task != t {
		p.task.close()
	}
	p.task = t
}

// Close implements [lifecycle.Closer].
func (p *process) Close() {
	p.replaceTask(nil)
	p.oom.Forget()
	p.driver.execs.EndInput(p.Ref)
}

// Adopt implements [lifecycle.Adopter].
func (p *process) Adopt(stdio executor.Stdio) {
	p.driver.guard.Watch(p.Ref, stdio, p.pid)
	p.oom = p.driver.ooms.Watch(p.oom)
}

// Start implements [lifecycle.Starter].
func (p *process) Start(ctx context.Context) error {
	p.phase = lifecycle.Running // from now on it may have written something
	return oci.Fault(p.startTask(ctx, p.connection()))
}

// startTask starts a task that was created earlier.
func (p *process) startTask(ctx context.Context, t *task) error {
	if _, err := t.start(ctx); err != nil {
		return err
	}
	return p.driver.state.put(p.Ref.ID, answeredFile, true)
}

// Wait implements [lifecycle.Process].
func (p *process) Wait(ctx context.Context) (*executor.Exit, error) {
	d, source := p.driver, executor.Observed
	for pause := 50 * time.Millisecond; ; {
		t, err := p.connection(), error(nil)
		if t == nil {
			if t, err = d.reach(ctx, p.record); err == nil {
				p.replaceTask(t)
			}
		}
		if err == nil && p.isUnsure() {
			err = p.settle(ctx, t)
		}
		if err == nil {
			resp, err := t.wait(ctx)
			if err == nil {
				return d.exitOf(p.record, resp.GetExitStatus(), resp.GetExitedAt().AsTime(), source, p.oom), nil
			}
			d.log.Debug("wait was interrupted", "ref", p.Ref, "error", err)
			if errdefs.IsNotFound(err) {
				return executor.LostExit("the shim does not know the container any more"), nil
			}
			p.replaceTask(nil)
			source = executor.Recovered
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errdefs.IsNotFound(err):
			return executor.LostExit("the shim does not know the container any more"), nil
		case gone(err) && !d.shimLives(p.record):
			return d.exitOfDead(p.record, p.oom), nil
		case err != nil:
			p.replaceTask(nil)
			pause = min(2*pause, time.Second)
		}
		if !oci.Pause(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}

// settle waits until a shim answers that did not when the process was found, and starts
// the task if that had not come through.
func (p *process) settle(ctx context.Context, t *task) error {
	st, err := t.state(ctx)
	if err == nil && st.GetStatus() == tasktypes.Status_CREATED {
		err = p.startTask(ctx, t)
	}
	if err == nil {
		p.mu.Lock()
		p.unsure = false
		p.mu.Unlock()
	}
	return err
}

// Record implements [lifecycle.Recorder]. The exit must be stored twice before the
// shim may end: by the host, and for an executor without memory.
func (p *process) Record(ctx context.Context, exit *executor.Exit) error {
	if err := p.driver.state.put(p.Ref.ID, exitFile, exit); err != nil {
		return err
	}
	if exit.Source == executor.Lost {
		// What is reported as ended must not run on.
		if err := p.driver.forceRemove(ctx, p.record); err != nil {
			return fmt.Errorf("end a container without a shim: %w", err)
		}
	}
	return nil
}

// Release implements [lifecycle.Process]: it deletes the task and ends the shim.
func (p *process) Release(ctx context.Context) (executor.Output, error) {
	d := p.driver
	if t := p.connection(); t != nil {
		// Output that was seen to drain is complete, whatever becomes of the
		// deletion. Otherwise only the time of the deletion shows it.
		seen := d.guard.Finish(ctx, p.Ref, oci.DrainWait)
		begin := time.Now()
		err := deleteTask(ctx, t)
		switch {
		case err == nil:
			p.drained = cmp.Or(seen, p.Drain.Judge(time.Since(begin)))
		case ctx.Err() != nil:
			return "", ctx.Err()
		default:
			// The shim died, or somebody else deleted the task.
			d.log.Debug("task cannot be deleted", "ref", p.Ref, "error", err)
		}
		if err == nil || errdefs.IsNotFound(err) {
			if err := t.shutdown(ctx); err != nil {
				d.log.Warn("shim does not end", "ref", p.Ref, "error", err)
			}
		}
		p.Close()
	}
	if p.drained == "" {
		if err := d.forceRemove(ctx, p.record); err != nil {
			return "", err
		}
		p.drained = executor.Truncated
	}
	if err := d.removeShimFiles(ctx, p.record); err != nil {
		return "", err
	}
	return p.drained, d.state.put(p.Ref.ID, outputFile, p.drained)
}

// deleteTimeout is how long a shim may take to delete a task, for which it calls its
// runtime and drains the output, for at most 10 s.
const deleteTimeout = 20 * time.Second

// deleteTask deletes a task whose workload has ended. It repeats the call while the
// shim is busy.
func deleteTask(ctx context.Context, t *task) error {
	ctx, cancel := context.WithTimeout(ctx, deleteTimeout)
	defer cancel()
	for tries := 0; ; tries++ {
		err := t.delete(ctx)
		if err == nil || gone(err) || errdefs.IsNotFound(err) || tries >= 10 {
			return err
		}
		if !oci.Pause(ctx, min(time.Second, 20*time.Millisecond<<min(tries, 6))) {
			return errors.Join(err, ctx.Err())
		}
	}
}

// Signal implements [lifecycle.Process].
func (p *process) Signal(ctx context.Context, sig executor.Signal) error {
	if sig == syscall.SIGKILL {
		return p.kill(ctx)
	}
	t := p.connection()
	if t == nil {
		return p.unreachable()
	}
	err := t.kill(ctx, sig, false)
	if errdefs.IsNotFound(err) || gone(err) {
		return lifecycle.ErrEnded
	}
	return oci.Fault(err)
}

// Remove implements [lifecycle.Process].
func (p *process) Remove(ctx context.Context) error {
	p.driver.guard.Forget(p.Ref)
	// After a power failure nobody knows whether it ran.
	return p.driver.remove(ctx, p.record, p.phase < lifecycle.Running && p.Boot == p.driver.boot)
}
