package containerd

import (
	"context"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// List implements [executor.Backend]. What a Create is making just now is left
// out.
func (b *Backend) List(ctx context.Context) ([]executor.Status, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	recs, err := b.records(ctx)
	if err != nil {
		return nil, oci.Fault(err)
	}
	resp, err := b.conn.tasks.List(ctx, &tasksapi.ListTasksRequest{})
	if err != nil {
		return nil, oci.Fault(err)
	}
	tasks := make(map[string]*tasktypes.Process, len(resp.GetTasks()))
	for _, t := range resp.GetTasks() {
		tasks[t.GetID()] = t
	}
	list := make([]executor.Status, 0, len(recs))
	for _, r := range recs {
		if st, ok := b.statusOf(r, tasks[r.cid]); ok {
			list = append(list, st)
		}
	}
	return list, nil
}

// statusOf gives the status of an attempt. A watched one is known best by its
// watcher, which may be working on it while containerd is asked.
func (b *Backend) statusOf(r record, task *tasktypes.Process) (executor.Status, bool) {
	a, creating := b.attempts.Get(r.ref.ID)
	m, started := b.marks.read(r.cid, r.ref.Attempt)
	st, _ := classify(r, task, m, started, b.boot)
	if a == nil || a.Ref != r.ref {
		return st, !creating
	}
	if known := a.Status(); st.State != executor.Paused {
		st = known
	}
	return st, true
}
