package containerd

import (
	"cmp"
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"google.golang.org/grpc"
)

// process is the task of a container, with the record and the mark that it was
// created or found with.
type process struct {
	driver *driver
	record
	mark
	phase lifecycle.Phase // then
	pid   int             // then; 0 if it has ended
	// unsure says that its shim did not answer when it was found.
	unsure bool

	labels sync.WaitGroup // that are being written
	killed atomic.Bool    // or is about to be
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

// Adopt implements [lifecycle.Adopter].
func (p *process) Adopt(stdio executor.Stdio) {
	p.driver.guard.Watch(p.ref, stdio, p.pid)
	p.OOM = p.driver.ooms.Watch(p.OOM)
}

// Start implements [lifecycle.Starter].
func (p *process) Start(ctx context.Context) error {
	p.phase = lifecycle.Running // from now on it may have written something
	m, _, err := p.driver.start(ctx, p.ref, p.cid, p.pid, p.Errors, p.Drain)
	m.OOM.Forget() // Adopt watches
	return oci.Fault(err)
}

// Wait implements [lifecycle.Process]. It relies on Wait and Get, not on events.
func (p *process) Wait(ctx context.Context) (*executor.Exit, error) {
	d := p.driver
	source := executor.Observed
	if p.unsure {
		if err := p.settle(ctx); err != nil {
			return nil, err
		}
	}
	for pause := 50 * time.Millisecond; ; {
		resp, err := d.conn.tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: p.cid}, grpc.WaitForReady(true))
		if err == nil {
			return oci.ExitOf(resp.GetExitStatus(), resp.GetExitedAt().AsTime(), source, p.OOM), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// The daemon stopped, or the shim died, or the task is gone. The daemon knows
		// which of them it was, once it answers again.
		source = executor.Recovered
		d.log.Debug("wait was interrupted", "ref", p.ref, "error", err)
		if errdefs.IsUnavailable(err) {
			if !oci.Pause(ctx, 10*time.Millisecond) {
				return nil, ctx.Err()
			}
			continue
		}
		task, gerr := d.taskOf(ctx, p.cid)
		switch {
		case gerr == nil && task == nil && !shimLives(p.cid):
			return executor.LostExit("the shim died: " + oci.Fault(err).Error()), nil
		case gerr == nil && task == nil:
			// It runs, and containerd does not know it any more.
			pause = min(2*pause, 5*time.Second)
		}
		if !oci.Pause(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}

// Record implements [lifecycle.Recorder]. The exit must be stored twice before the
// task may be deleted: by the host, and for an executor without memory. The label is
// written while the host is notified, and Release waits for it.
func (p *process) Record(ctx context.Context, exit *executor.Exit) error {
	text, err := json.Marshal(exit)
	if err != nil {
		return err
	}
	p.labelLater(ctx, labelExit, string(text))
	if exit.Source == executor.Lost {
		// What is reported as ended must not run on, also if the runtime failed when
		// containerd called it to remove the container.
		return p.driver.removeOrphan(ctx, p.record, true)
	}
	return nil
}

// Release implements [lifecycle.Process]: it deletes the task.
func (p *process) Release(ctx context.Context) (executor.Output, error) {
	p.labels.Wait()
	output, err := p.deleteTask(ctx)
	if err == nil {
		p.labelLater(ctx, labelOutput, string(output))
	}
	return output, err
}

// Close implements [lifecycle.Closer].
func (p *process) Close() {
	p.labels.Wait()
	p.OOM.Forget()
	p.driver.execs.EndInput(p.ref)
}

// deleteTimeout is how long a shim may take to delete a task, for which it calls its
// runtime and drains the output, for at most 10 s.
const deleteTimeout = 20 * time.Second

// deleteTask deletes the task and returns whether its output was seen to drain.
func (p *process) deleteTask(ctx context.Context) (executor.Output, error) {
	d := p.driver
	// Output that was seen to drain is complete, whatever becomes of the deletion.
	// Otherwise only the time of the deletion shows it.
	seen := d.guard.Finish(ctx, p.ref, oci.DrainWait)
	for tries := 0; ; tries++ {
		begin := time.Now()
		deleting, cancel := context.WithTimeout(ctx, deleteTimeout)
		_, err := d.conn.tasks.Delete(deleting, &tasksapi.DeleteTaskRequest{ContainerID: p.cid}, grpc.WaitForReady(true))
		hangs := oci.Expired(deleting) != nil
		cancel()
		switch {
		case err == nil:
			return cmp.Or(seen, cmp.Or(p.Drain, oci.DrainShort).Judge(time.Since(begin))), nil
		case errdefs.IsNotFound(err):
			// Somebody else deleted it, or a call of ours whose answer was lost.
			d.log.Debug("the task was gone already", "ref", p.ref, "error", err)
			return cmp.Or(seen, executor.Truncated), nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case hangs && d.ready(ctx) == nil, errdefs.IsFailedPrecondition(err) && tries >= 3, !errdefs.IsUnavailable(err) && tries >= 10:
			// The first shim refuses for ever if the daemon was killed while it
			// deleted. The host has the exit, so it may go by force.
			_, err := d.killTask(ctx, p.cid)
			return cmp.Or(seen, executor.Truncated), oci.Fault(err)
		}
		d.log.Debug("delete failed", "ref", p.ref, "error", err)
		if !oci.Pause(ctx, min(time.Second, 20*time.Millisecond<<min(tries, 6))) {
			return "", ctx.Err()
		}
	}
}

// labelLater writes a label of the record in the background. If containerd refuses,
// the host still has the value, so a warning is enough.
func (p *process) labelLater(ctx context.Context, key, value string) {
	d := p.driver
	p.labels.Go(func() {
		for {
			err := d.label(ctx, p.cid, key, value)
			if err != nil && !errdefs.IsUnavailable(err) && ctx.Err() == nil {
				d.log.Warn("label cannot be written", "ref", p.ref, "label", key, "error", err)
			}
			if !errdefs.IsUnavailable(err) || !oci.Pause(ctx, 50*time.Millisecond) {
				return
			}
		}
	})
}

// Signal implements [lifecycle.Process].
func (p *process) Signal(ctx context.Context, sig executor.Signal) error {
	if err := p.driver.ready(ctx); err != nil {
		return err
	}
	if sig == syscall.SIGKILL {
		return p.kill(ctx)
	}
	_, err := p.driver.conn.tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: p.cid, Signal: uint32(sig)})
	if errdefs.IsNotFound(err) {
		return lifecycle.ErrEnded
	}
	return oci.Fault(err)
}

// Remove implements [lifecycle.Process]. For an attempt that never ran it also
// removes what was written in the name of its workload.
func (p *process) Remove(ctx context.Context) error {
	p.driver.guard.Forget(p.ref)
	if err := p.driver.ready(ctx); err != nil {
		return err
	}
	var tidy func() error
	if p.phase < lifecycle.Running {
		p.driver.endRuntime(p.cid) // of a create that was cut off, if it still works
		tidy = p.errors.Reset
	}
	return oci.Fault(p.driver.removeAttempt(ctx, p.record, tidy))
}
