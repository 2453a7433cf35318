package containerd

import (
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// phase is where an attempt stands in containerd.
type phase int

const (
	// neverRan: there is a record, but the workload was never run. Only a create
	// that was cut off leaves this behind.
	neverRan phase = iota
	// created: the task waits for its start.
	created
	running
	ended
)

// classify says where an attempt stands by what containerd and our mark tell.
// task is nil if there is none. boot is the present one.
func classify(r record, task *tasktypes.Process, m mark, started bool, boot string) (executor.Status, phase) {
	st := executor.Status{Ref: r.ref, StartedAt: m.StartedAt, Runtime: r.runtime}
	if !started {
		st.StartedAt = r.createdAt // as near as can be told
	}
	end := func(exit *executor.Exit) (executor.Status, phase) {
		st.State, st.Exit = executor.Exited, exit
		if r.output != "" {
			st.State, st.Output = executor.Released, r.output
		}
		return st, ended
	}
	stopped := task.GetStatus() == tasktypes.Status_STOPPED
	switch {
	case r.exit != nil:
		return end(r.exit)
	case task == nil && r.boot != boot:
		return end(executor.LostExit("the machine was rebooted"))
	case task == nil && (!started || m.Errors.Told()), stopped && !started,
		stopped && m.Errors.Aborted(task.GetExitStatus(), m.StartedAt, task.GetExitedAt().AsTime()):
		// A task that ends without having been started was killed by an undo.
		st.State, st.Exit = executor.Exited, executor.LostExit("the attempt was never started")
		return st, neverRan
	case task == nil:
		return end(executor.LostExit("containerd no longer knows the task; its shim must have died"))
	}
	switch task.GetStatus() {
	case tasktypes.Status_STOPPED:
		return end(oci.ExitOf(task.GetExitStatus(), task.GetExitedAt().AsTime(), executor.Recovered, m.OOM))
	case tasktypes.Status_CREATED:
		st.State, st.PID = executor.Running, int(task.GetPid())
		return st, created
	case tasktypes.Status_PAUSED, tasktypes.Status_PAUSING:
		st.State, st.PID = executor.Paused, int(task.GetPid())
		return st, running
	default:
		st.State, st.PID = executor.Running, int(task.GetPid())
		return st, running
	}
}
