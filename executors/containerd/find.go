package containerd

import (
	"context"
	"errors"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Find implements [lifecycle.Driver].
func (d *driver) Find(ctx context.Context, ref executor.Ref) (f lifecycle.Found[*process], ok bool, err error) {
	if err := d.ready(ctx); err != nil {
		return f, false, err
	}
	r, err := d.record(ctx, ref.ID)
	if errdefs.IsNotFound(err) {
		return f, false, nil
	}
	if err != nil {
		return f, false, oci.Fault(err)
	}
	task, err := d.taskOf(ctx, r.cid)
	if err != nil && (ctx.Err() != nil || errdefs.IsUnavailable(err) || !shimLives(r.cid)) {
		return f, false, oci.Fault(err)
	}
	return d.found(r, task), true, nil
}

// List implements [lifecycle.Driver].
func (d *driver) List(ctx context.Context, _ func(id, exec string) bool) ([]lifecycle.Found[*process], error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	recs, err := d.records(ctx)
	if err != nil {
		return nil, oci.Fault(err)
	}
	resp, err := d.conn.tasks.List(ctx, &tasksapi.ListTasksRequest{})
	if err != nil {
		return nil, oci.Fault(err)
	}
	tasks := make(map[string]*tasktypes.Process, len(resp.GetTasks()))
	for _, t := range resp.GetTasks() {
		if t.GetStatus() == tasktypes.Status_UNKNOWN {
			continue // its shim does not answer
		}
		tasks[t.GetID()] = t
	}
	list := make([]lifecycle.Found[*process], 0, len(recs))
	for _, r := range recs {
		list = append(list, d.found(r, tasks[r.cid]))
	}
	return list, nil
}

// found returns what a record and its task, nil if there is none, say about an
// attempt.
func (d *driver) found(r record, task *tasktypes.Process) lifecycle.Found[*process] {
	m, started := d.marks.read(r.cid, r.ref.Attempt)
	st, phase := classify(r, task, m, started, d.boot)
	unsure := task == nil && started && r.exit == nil && r.boot == d.boot && shimLives(r.cid)
	if unsure {
		// The shim hangs, or containerd does not know it any more. It may run.
		d.log.Warn("the shim lives and does not answer", "ref", r.ref)
		st.State, st.Exit, phase = executor.Running, nil, lifecycle.Running
	}
	p := &process{driver: d, record: r, mark: m, phase: phase, pid: st.PID, unsure: unsure}
	return lifecycle.Found[*process]{Process: p, Phase: phase, Status: st}
}

// taskOf returns the task of a container, nil if there is none.
func (d *driver) taskOf(ctx context.Context, cid string) (*tasktypes.Process, error) {
	resp, err := d.conn.tasks.Get(ctx, &tasksapi.GetRequest{ContainerID: cid})
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if resp.GetProcess().GetStatus() == tasktypes.Status_UNKNOWN {
		return nil, errNoAnswer // which containerd 1.x leaves out
	}
	return resp.GetProcess(), nil
}

// errNoAnswer is the error of a shim that does not answer containerd.
var errNoAnswer = errors.New("the shim does not answer")
