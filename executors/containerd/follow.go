package containerd

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"google.golang.org/grpc"
)

// follow takes an attempt from where it stands to its release. An error means
// that it stopped before that, with nothing deleted that the host does not have.
func (b *Backend) follow(ctx context.Context, a *oci.Attempt) error {
	st := a.Status()
	if !st.State.Ended() {
		exit, err := b.await(ctx, a)
		if err != nil {
			return err
		}
		st = a.Exited(exit)
		_ = failpoint.Hit("containerd.follow.exited")
	}
	output := st.Output
	st.State, st.Output = executor.Exited, ""

	// The exit must be known twice before the task may go: to the host, and for
	// List and Create to an executor without memory.
	text, err := json.Marshal(st.Exit)
	if err != nil {
		return err
	}
	labelled := b.persist(ctx, a, labelExit, string(text))
	err = b.host.Exited(ctx, st)
	<-labelled
	if err != nil {
		return fmt.Errorf("report exit: %w", err)
	}
	_ = failpoint.Hit("containerd.follow.reported")
	if output == "" {
		if output, err = b.release(ctx, a); err != nil {
			return fmt.Errorf("delete task: %w", err)
		}
	}
	_ = failpoint.Hit("containerd.follow.deleted")
	labelled = b.persist(ctx, a, labelOutput, string(output))
	err = b.host.Released(ctx, a.Ref, output)
	<-labelled
	if err != nil {
		return fmt.Errorf("report release: %w", err)
	}
	a.Released(output)
	return nil
}

// await waits for the end of the workload. Wait and Get are the truth; events
// are not looked at. An error means that ctx ended.
func (b *Backend) await(ctx context.Context, a *oci.Attempt) (*executor.Exit, error) {
	source := executor.Observed
	for {
		resp, err := b.conn.tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: b.owner.ContainerID(a.Ref.ID)}, grpc.WaitForReady(true))
		if err == nil {
			return oci.ExitOf(resp.GetExitStatus(), resp.GetExitedAt().AsTime(), source, a.OOM), nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// The daemon stopped, or the shim died, or the task is gone. Which of
		// them it was the daemon knows best, once it answers again.
		source = executor.Recovered
		b.log.Debug("wait was cut off", "ref", a.Ref, "error", err)
		if errdefs.IsUnavailable(err) {
			if !oci.Pause(ctx, 10*time.Millisecond) {
				return nil, ctx.Err()
			}
			continue
		}
		task, gerr := b.taskOf(ctx, b.owner.ContainerID(a.Ref.ID))
		if gerr == nil && task == nil {
			return executor.LostExit("the shim died: " + oci.Fault(err).Error()), nil
		}
		if !oci.Pause(ctx, 50*time.Millisecond) {
			return nil, ctx.Err()
		}
	}
}

// release deletes the task and says whether its output was seen to drain.
func (b *Backend) release(ctx context.Context, a *oci.Attempt) (executor.Output, error) {
	// Seen to have drained, it is complete, whatever becomes of the deletion. Else
	// only the time that this takes can tell.
	seen := b.guard.Finish(ctx, a.Ref, oci.DrainWait)
	judge := func(otherwise executor.Output) executor.Output { return cmp.Or(seen, otherwise) }
	for tries := 0; ; tries++ {
		begin := time.Now()
		_, err := b.conn.tasks.Delete(ctx, &tasksapi.DeleteTaskRequest{ContainerID: b.owner.ContainerID(a.Ref.ID)}, grpc.WaitForReady(true))
		switch {
		case err == nil:
			return judge(a.Drain.Judge(time.Since(begin))), nil
		case errdefs.IsNotFound(err):
			// Somebody else deleted it, or a call of ours whose answer was lost.
			b.log.Debug("the task was gone already", "ref", a.Ref, "error", err)
			return judge(executor.Truncated), nil
		case ctx.Err() != nil:
			return "", ctx.Err()
		case errdefs.IsFailedPrecondition(err) && tries >= 3, !errdefs.IsUnavailable(err) && tries >= 10:
			// The first shim refuses for ever if the daemon was killed while it
			// deleted. The host has the exit, so it may go by force.
			return judge(executor.Truncated), oci.Fault(b.killTask(ctx, b.owner.ContainerID(a.Ref.ID)))
		}
		b.log.Debug("delete failed", "ref", a.Ref, "error", err)
		if !oci.Pause(ctx, min(time.Second, 20*time.Millisecond<<min(tries, 6))) {
			return "", ctx.Err()
		}
	}
}

// persist writes a label of the record in the background, and closes the channel
// it gives when that is done. If containerd refuses, the host still has the
// value, so that is a warning.
func (b *Backend) persist(ctx context.Context, a *oci.Attempt, key, value string) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			err := b.label(ctx, b.owner.ContainerID(a.Ref.ID), key, value)
			if err != nil && !errdefs.IsUnavailable(err) && ctx.Err() == nil {
				b.log.Warn("label cannot be written", "ref", a.Ref, "label", key, "error", err)
			}
			if !errdefs.IsUnavailable(err) || !oci.Pause(ctx, 50*time.Millisecond) {
				return
			}
		}
	}()
	return done
}
