package shim

import (
	"context"
	"errors"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// errNotKilled is the error of a kill that had no effect.
var errNotKilled = errors.New("the runtime says that it has killed the container, and it runs")

// kill sends SIGKILL. It has a last resort, since nothing else ends a container whose
// runtime cannot kill it or whose shim hangs.
func (p *process) kill(ctx context.Context) error {
	t := p.connection()
	if t == nil {
		err := p.unreachable()
		if errors.Is(err, lifecycle.ErrEnded) {
			return err
		}
		return p.driver.end(ctx, p.record, nil, err)
	}
	remains := p.driver.remains(p.record)
	alive := remains.Alive()
	err := t.kill(ctx, syscall.SIGKILL, false)
	if gone(err) && ctx.Err() == nil {
		// Who waits for its end gives a connection up when the shim does not answer.
		if again, derr := p.driver.reach(ctx, p.record); derr == nil {
			defer again.close()
			t, err = again, again.kill(ctx, syscall.SIGKILL, false)
		}
	}
	switch {
	case err == nil:
		t.thaw(ctx)
		if remains.Ended(ctx) || ctx.Err() != nil {
			return nil
		}
		err = errNotKilled
	case ctx.Err() != nil:
		return oci.Fault(err)
	case gone(err) && alive && remains.Ended(ctx):
		return nil // it ended during the call, and its shim with it
	case gone(err), errdefs.IsNotFound(err) && !remains.Alive():
		// A shim also says that there is nothing if its runtime has lost its state.
		return lifecycle.ErrEnded
	}
	return p.driver.end(ctx, p.record, t, err)
}

// end ends by force a container that could not be killed for cause: first its processes
// and then, if it does not answer, its shim. A shim that answers sees the end, and has
// the exit.
func (d *driver) end(ctx context.Context, r record, t *task, cause error) error {
	d.log.Warn("the container cannot be killed; it is ended by force", "ref", r.Ref, "error", cause)
	found, err := d.remains(r).End(ctx)
	if err == nil && !answers(ctx, t) {
		err = killWithin(ctx, d.state.bundle(r))
		found++
	}
	switch {
	case err != nil:
		return errors.Join(oci.Fault(cause), err)
	case found == 0:
		return oci.Fault(cause)
	}
	return nil
}

// answers reports whether a shim answers a simple question.
func answers(ctx context.Context, t *task) bool {
	if t == nil {
		return false
	}
	_, err := t.state(ctx)
	return err == nil || errdefs.IsNotFound(err)
}

// unreachable returns the error of a call to a shim to which there is no connection.
func (p *process) unreachable() error {
	if p.isUnsure() || p.driver.shimLives(p.record) {
		return executor.Errorf(executor.Unavailable, "container %s: its shim does not answer; SIGKILL ends both", p.Ref)
	}
	return lifecycle.ErrEnded
}

// isUnsure reports whether the shim has not answered since the process was found.
func (p *process) isUnsure() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unsure
}
