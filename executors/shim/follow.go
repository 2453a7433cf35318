package shim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// follow takes an attempt from where it stands to its release. An error means
// that it stopped before that, with nothing deleted that the host does not have.
func (b *Backend) follow(ctx context.Context, a *attempt) error {
	st := a.Status()
	output := st.Output
	if !st.State.Ended() {
		exit, err := b.await(ctx, a)
		if err != nil {
			return err
		}
		st = a.Exited(exit)
		_ = failpoint.Hit("shim.follow.exited")
	}
	st.State, st.Output = executor.Exited, ""

	// The exit must be known twice before the shim may go: to the host, and for
	// List and Create to an executor without memory.
	if output == "" {
		if err := b.state.putSynced(a.Ref.ID, exitFile, st.Exit); err != nil {
			return fmt.Errorf("record exit: %w", err)
		}
	}
	_ = failpoint.Hit("shim.follow.recorded")
	if st.Exit.Source == executor.Lost && output == "" {
		// What is reported as ended must not run on.
		if err := b.bury(ctx, a.record); err != nil {
			return fmt.Errorf("end a container without a shim: %w", err)
		}
	}
	if err := b.host.Exited(ctx, st); err != nil {
		return fmt.Errorf("report exit: %w", err)
	}
	_ = failpoint.Hit("shim.follow.reported")
	if output == "" {
		var err error
		if output, err = b.release(ctx, a); err != nil {
			return fmt.Errorf("release: %w", err)
		}
		_ = failpoint.Hit("shim.follow.released")
		if err := b.state.put(a.Ref.ID, outputFile, output); err != nil {
			return fmt.Errorf("record release: %w", err)
		}
	}
	a.Released(output)
	if err := b.host.Released(ctx, a.Ref, output); err != nil {
		return fmt.Errorf("report release: %w", err)
	}
	return nil
}

// await waits for the end of the workload. An error means that ctx ended.
func (b *Backend) await(ctx context.Context, a *attempt) (*executor.Exit, error) {
	source := executor.Observed
	for {
		resp, err := a.connection().wait(ctx)
		if err == nil {
			return oci.ExitOf(resp.GetExitStatus(), resp.GetExitedAt().AsTime(), source, a.OOM), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		b.log.Debug("wait was cut off", "ref", a.Ref, "error", err)
		source = executor.Recovered
		if errdefs.IsNotFound(err) {
			return executor.LostExit("the shim does not know the container any more"), nil
		}
		t, derr := b.reach(ctx, a.record)
		switch {
		case derr == nil:
			a.replaceTask(t)
		case gone(derr):
			a.closeTask()
			return b.exitOfDead(a.record, a.OOM), nil
		}
		if !oci.Pause(ctx, 50*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// release deletes the task, ends the shim and says whether the output was seen to
// drain. It can be repeated when it failed.
func (b *Backend) release(ctx context.Context, a *attempt) (executor.Output, error) {
	if t := a.connection(); t != nil {
		// Seen to have drained, it is complete, whatever becomes of the deletion. Else
		// only the time that this takes can tell.
		seen := b.guard.Finish(ctx, a.Ref, oci.DrainWait)
		begin := time.Now()
		err := deleteTask(ctx, t)
		switch {
		case err == nil:
			a.drained = cmp.Or(seen, a.Drain.Judge(time.Since(begin)))
		case ctx.Err() != nil:
			return "", ctx.Err()
		default:
			// The shim died, or somebody else deleted the task.
			b.log.Debug("task cannot be deleted", "ref", a.Ref, "error", err)
		}
		if err == nil || errdefs.IsNotFound(err) {
			if err := t.shutdown(ctx); err != nil {
				b.log.Warn("shim does not end", "ref", a.Ref, "error", err)
			}
		}
		a.closeTask()
	}
	if a.drained == "" {
		if err := b.bury(ctx, a.record); err != nil {
			return "", err
		}
		a.drained = executor.Truncated
	}
	return a.drained, b.clear(a.record)
}

// deleteTask deletes a task whose workload has ended. A shim that is busy is
// asked again.
func deleteTask(ctx context.Context, t *task) error {
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
