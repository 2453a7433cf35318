package containerd

import (
	"cmp"
	"context"

	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// adopt finds out where an attempt stands and, if it ran, makes sure that it is
// watched. One that waits for its start is started if resume is set and its start
// was asked for before, and else counts as one that never ran. For without the
// mark its create may have been cut off, and what containerd then undoes half-way
// can leave a task that can be started and whose output goes nowhere.
func (b *Backend) adopt(ctx context.Context, r record, files executor.Stdio, resume bool) (executor.Status, phase, error) {
	if a := b.attempt(r.ref.ID); a != nil && a.Ref == r.ref {
		if over, err := a.Over(); !over || err == nil {
			return a.Status(), phaseOf(a.Status()), nil
		}
	}
	m, started := b.marks.read(r.cid, r.ref.Attempt)
	task, err := b.taskOf(ctx, r.cid)
	if err != nil {
		return executor.Status{}, 0, oci.Fault(err)
	}
	st, ph := classify(r, task, m, started, b.boot)
	if err := failpoint.Hit("containerd.adopt.looked"); err != nil {
		return executor.Status{}, 0, err
	}
	if ph == created && started && resume {
		// If that start is still on its way, ours fails and the status tells.
		_, serr := b.start(ctx, r.ref, r.cid, int(task.GetPid()), m.Errors, m.Drain)
		if task, err = b.taskOf(ctx, r.cid); err != nil {
			return executor.Status{}, 0, oci.Fault(err)
		}
		m, started = b.marks.read(r.cid, r.ref.Attempt)
		if st, ph = classify(r, task, m, started, b.boot); ph == created {
			return executor.Status{}, 0, oci.Fault(serr)
		}
	}
	if ph == created {
		ph = neverRan
	}
	if ph != neverRan {
		b.guard.Watch(r.ref, files, st.PID)
		b.watch(st, m.OOM, cmp.Or(m.Drain, oci.DrainShort))
	}
	return st, ph, nil
}

func phaseOf(st executor.Status) phase {
	if st.State.Ended() {
		return ended
	}
	return running
}

// handOver waits until the host has the exit of an attempt that has ended, and
// the task is gone.
func (b *Backend) handOver(ctx context.Context, ref executor.Ref) error {
	a := b.attempt(ref.ID)
	if a == nil {
		return nil
	}
	return a.Wait(ctx)
}

// Restore implements [executor.Backend].
func (b *Backend) Restore(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	if err := ref.Validate(); err != nil {
		return executor.Status{}, err
	}
	if err := b.ready(ctx); err != nil {
		return executor.Status{}, err
	}
	r, err := b.record(ctx, ref.ID)
	if err != nil && !errdefs.IsNotFound(err) {
		return executor.Status{}, oci.Fault(err)
	}
	if err != nil || r.ref != ref {
		return executor.Status{}, executor.Errorf(executor.NotFound, "container %s is not known to containerd", ref)
	}
	st, ph, err := b.adopt(ctx, r, stdio, true)
	if err != nil {
		return executor.Status{}, err
	}
	if ph == neverRan {
		if err := b.unmake(ctx, r); err != nil {
			return executor.Status{}, oci.Fault(err)
		}
		return executor.Status{}, executor.Errorf(executor.NotFound, "container %s was never started", ref)
	}
	return st, nil
}
