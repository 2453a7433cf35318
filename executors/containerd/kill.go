package containerd

import (
	"context"
	"errors"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/lifecycle"
	"golang.org/x/sys/unix"
)

// killTimeout is how long a shim may take to kill. A healthy one takes milliseconds.
const killTimeout = 5 * time.Second

// errNotKilled is the error of a kill that had no effect.
var errNotKilled = errors.New("the runtime says that it has killed the container, and it runs")

// kill sends SIGKILL. It has a last resort, since nothing else ends a container whose
// runtime cannot kill it, whose shim hangs, or that containerd does not know any more:
// the processes are killed directly, and then a shim that does not answer, too.
func (p *process) kill(ctx context.Context) error {
	d := p.driver
	p.killed.Store(true)
	hangs, err := p.askToKill(ctx)
	if hangs && d.endRuntime(p.cid) { // which its shim has waited for
		_, err = p.askToKill(ctx)
	}
	remains := d.owner.Remains(d.config.CgroupParent, p.cid).With(d.marks.remains(p.cid))
	switch {
	case err == nil:
		d.thaw(ctx, p.cid)
		if remains.Ended(ctx) || ctx.Err() != nil {
			return nil
		}
		err = errNotKilled
	case errdefs.IsUnavailable(err), ctx.Err() != nil:
		return oci.Fault(err)
	case errdefs.IsNotFound(err) && !remains.Alive() && !shimLives(p.cid):
		return lifecycle.ErrEnded
	}
	found, rerr := remains.End(ctx)
	if rerr != nil {
		return errors.Join(oci.Fault(err), rerr)
	}
	// A shim that answers sees the end, and has the exit.
	asking, cancel := context.WithTimeout(ctx, killTimeout)
	task, aerr := d.taskOf(asking, p.cid)
	cancel()
	if !errdefs.IsUnavailable(aerr) && (aerr != nil || task == nil) && d.killShims(p.cid, "a shim that does not answer is killed") {
		found++
	}
	if found > 0 {
		d.log.Warn("the container could not be killed; it was ended by force", "ref", p.ref, "error", err)
		return nil
	}
	// It ended a moment ago, and its shim with it, or its shim has not told yet.
	if !shimLives(p.cid) || errdefs.IsNotFound(err) && aerr == nil && task != nil {
		return lifecycle.ErrEnded
	}
	return oci.Fault(err)
}

// askToKill asks containerd to kill. It reports whether the shim hangs.
func (p *process) askToKill(ctx context.Context) (hangs bool, err error) {
	asking, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	_, err = p.driver.conn.tasks.Kill(asking, &tasksapi.KillRequest{ContainerID: p.cid, Signal: uint32(unix.SIGKILL)})
	return err != nil && oci.Expired(asking) != nil && ctx.Err() == nil, err
}

// settle waits until a shim answers that did not when the process was found, and starts
// the task if that had not come through and nobody has killed it since.
func (p *process) settle(ctx context.Context) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		task, err := p.driver.taskOf(ctx, p.cid)
		if err == nil {
			if task.GetStatus() != tasktypes.Status_CREATED {
				return nil
			}
			if !p.killed.Load() {
				return p.Start(ctx)
			}
		}
		if !oci.Pause(ctx, pause) {
			return ctx.Err()
		}
	}
}
