package shim

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// Find implements [lifecycle.Driver].
func (d *driver) Find(ctx context.Context, ref executor.Ref) (lifecycle.Found[*process], bool, error) {
	r, err := d.record(ref.ID)
	if err != nil || r.Ref.ID == "" {
		return lifecycle.Found[*process]{}, false, err
	}
	f, err := d.look(ctx, r)
	if err != nil {
		return lifecycle.Found[*process]{}, false, err
	}
	p := &process{driver: d, record: r, oom: f.oom, phase: f.phase, pid: f.PID, task: f.task, unsure: f.unsure}
	return lifecycle.Found[*process]{Process: p, Phase: f.phase, Status: f.Status}, true, nil
}

// List implements [lifecycle.Driver].
func (d *driver) List(ctx context.Context, known func(id, exec string) bool) ([]lifecycle.Found[*process], error) {
	ids, _, err := d.state.ids()
	if err != nil {
		return nil, err
	}
	var list []lifecycle.Found[*process]
	for _, id := range ids {
		if known(id, "") {
			continue
		}
		r, err := d.record(id)
		if err != nil || r.Ref.ID == "" {
			continue
		}
		f, err := d.look(ctx, r)
		if err := ctx.Err(); err != nil {
			f.close()
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		f.close()
		list = append(list, lifecycle.Found[*process]{Phase: f.phase, Status: f.Status})
	}
	return list, nil
}
