package containerd

import (
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// classify determines where an attempt stands by what containerd and our mark say.
// task is nil if there is none. boot is the present one.
//
// A task that waits for its start counts as one that never ran if its start was not
// asked for. Its create may have been cut off, and what containerd then undoes
// half-way can leave a task that can be started but whose output goes nowhere.
func classify(r record, task *tasktypes.Process, m mark, started bool, boot string) (executor.Status, lifecycle.Phase) {
	st := executor.Status{Ref: r.ref, StartedAt: m.StartedAt, Runtime: r.runtime}
	if !started {
		st.StartedAt = r.createdAt // as near as is known
	}
	end := func(exit *executor.Exit) (executor.Status, lifecycle.Phase) {
		st.State, st.Exit = executor.Exited, exit
		if r.output != "" {
			st.State, st.Output = executor.Released, r.output
		}
		return st, lifecycle.Ended
	}
	stopped := task.GetStatus() == tasktypes.Status_STOPPED
	switch {
	case r.exit != nil:
		return end(r.exit)
	case task == nil && r.boot != boot:
		return end(executor.LostExit("the machine was rebooted"))
	case task == nil && (!started || !m.Answered && m.Errors.OnlyInit()), stopped && !started,
		stopped && !m.Answered && m.Errors.Aborted(task.GetExitStatus(), m.StartedAt, task.GetExitedAt().AsTime()):
		// A task that ends without having been started was killed by an undo.
		st.State, st.Exit = executor.Exited, executor.LostExit("the attempt was never started")
		return st, lifecycle.NeverRan
	case task == nil:
		return end(executor.LostExit("containerd no longer knows the task; its shim must have died"))
	}
	switch task.GetStatus() {
	case tasktypes.Status_STOPPED:
		return end(oci.ExitOf(task.GetExitStatus(), task.GetExitedAt().AsTime(), executor.Recovered, m.OOM))
	case tasktypes.Status_CREATED:
		st.State, st.PID = executor.Running, int(task.GetPid())
		if !started {
			return st, lifecycle.NeverRan
		}
		return st, lifecycle.Created
	case tasktypes.Status_PAUSED, tasktypes.Status_PAUSING:
		st.State, st.PID = executor.Paused, int(task.GetPid())
		return st, lifecycle.Running
	default:
		st.State, st.PID = executor.Running, int(task.GetPid())
		return st, lifecycle.Running
	}
}
