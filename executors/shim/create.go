package shim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

const (
	// grace is how long a call to a shim may go on after the host gave up.
	grace = 5 * time.Second
	// cleanupTimeout bounds the removal of a half-made container.
	cleanupTimeout = 20 * time.Second
	// endTimeout is how much of it a shim may take to end its task. After that it
	// is killed.
	endTimeout = 12 * time.Second
)

// plan is a checked request to create a container.
type plan struct {
	record
	cid      string
	prog     program
	wire     runtimes.Wire
	inCgroup bool // the shim goes to a cgroup
	mini     bool // the shim is package minishim
	spec     oci.Spec
	stdio    oci.Stdio
	files    executor.Stdio
}

// Create implements [executor.Backend].
func (b *Backend) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	p, err := b.plan(ctx, w)
	if err != nil {
		return executor.Status{}, err
	}
	defer b.attempts.Creating(p.Ref.ID)()

	// The way is tried first, since it is almost always free.
	for range 3 {
		if err := ctx.Err(); err != nil {
			return executor.Status{}, oci.Fault(err)
		}
		err := b.state.add(p.record, p.spec.JSON, !p.mini)
		if err == nil {
			return b.create(ctx, p)
		}
		if !errors.Is(err, fs.ErrExist) {
			return executor.Status{}, err
		}
		st, found, err := b.settle(ctx, &p)
		if found || err != nil {
			return st, err
		}
	}
	return executor.Status{}, executor.Errorf(executor.AlreadyExists, "container %s is being made by somebody else", p.Ref)
}

// plan checks the request and looks for what it needs, without making anything
// but the script of a runtime with args.
func (b *Backend) plan(ctx context.Context, w executor.Workload) (plan, error) {
	if err := w.Ref.Validate(); err != nil {
		return plan{}, err
	}
	resolved, err := runtimes.Decode(w.Runtime.Resolved)
	if err != nil {
		return plan{}, err
	}
	o := resolved.Options
	p := plan{cid: b.owner.ContainerID(w.Ref.ID), files: w.Stdio, inCgroup: o.ShimCgroup != nil}
	if p.spec, err = oci.PrepareSpec(w.Spec, b.owner.Cgroup(b.config.CgroupParent, p.cid, o.SystemdCgroup != nil && *o.SystemdCgroup)); err != nil {
		return plan{}, err
	}
	if resolved.Kind() == runtimes.KindRunc {
		if p.spec.JSON, err = ungroup(p.spec.JSON); err != nil {
			return plan{}, err
		}
	}
	if p.stdio, err = oci.NewStdio(w.Stdio, p.spec.Terminal); err != nil {
		return plan{}, err
	}
	if p.prog, err = b.find(ctx, w.Runtime.Name, resolved); err != nil {
		return plan{}, err
	}
	p.record = record{
		Ref: w.Ref, Runtime: w.Runtime.Name, Shim: p.prog.path, Namespace: b.config.Namespace,
		Boot: b.boot, CreatedAt: time.Now(), Drain: p.prog.drain(),
	}
	p.mini = p.prog.path == "" && !p.inCgroup && !p.spec.Terminal
	binary, err := resolved.Binary(b.wrappers(), p.stdio.Merged && !p.mini)
	if err != nil {
		return plan{}, err
	}
	if resolved.Kind() == runtimes.KindRunc && o.Root != nil {
		p.OCI, p.Root = cmp.Or(binary, p.prog.oci), filepath.Join(*o.Root, b.config.Namespace)
	}
	if !p.mini {
		p.stdio = p.stdio.Split(resolved.Kind() != runtimes.KindGeneric)
	}
	p.Errors = oci.NewInitErrors(p.stdio.Stdout, p.stdio.Stderr)
	p.wire, err = resolved.Wire(binary)
	return p, err
}

// ungroup takes from a spec what makes the shim of runc serve it together with
// other containers. Who groups is not asked there, and grouped containers share
// the shim's fate.
func ungroup(spec json.RawMessage) (json.RawMessage, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(spec, &top); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	var annotations map[string]json.RawMessage
	if err := json.Unmarshal(orNull(top["annotations"]), &annotations); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: annotations: %w", err)
	}
	before := len(annotations)
	delete(annotations, "io.containerd.runc.v2.group")
	delete(annotations, "io.kubernetes.cri.sandbox-id")
	if len(annotations) == before {
		return spec, nil
	}
	var err error
	if top["annotations"], err = json.Marshal(annotations); err != nil {
		return nil, err
	}
	return json.Marshal(top)
}

func orNull(b json.RawMessage) json.RawMessage {
	if b == nil {
		return json.RawMessage("null")
	}
	return b
}

// create starts the shim, and through it the workload, or leaves nothing behind.
func (b *Backend) create(ctx context.Context, p plan) (executor.Status, error) {
	work, cancel := oci.Linger(ctx, grace)
	defer cancel()
	if err := failpoint.Hit("shim.create.recorded"); err != nil {
		return executor.Status{}, b.undo(ctx, p.record, nil, err)
	}
	c, err := b.startShim(work, p)
	if err != nil {
		return executor.Status{}, b.undo(ctx, p.record, nil, err)
	}
	_ = failpoint.Hit("shim.create.shim")
	t, err := dial(work, c, p.Namespace, p.cid)
	if err != nil {
		return executor.Status{}, b.undo(ctx, p.record, nil, err)
	}
	pid, err := t.create(work, &taskapi.CreateTaskRequest{
		ID:       p.cid,
		Bundle:   b.state.bundle(p.Ref.ID),
		Stdin:    p.stdio.Stdin,
		Stdout:   p.stdio.Stdout,
		Stderr:   p.stdio.Stderr,
		Terminal: p.spec.Terminal,
		Options:  p.wire.Container,
	})
	if err == nil {
		err = failpoint.Hit("shim.create.task")
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return executor.Status{}, b.undo(ctx, p.record, t, err)
	}
	b.guard.Watch(p.Ref, p.files, pid) // before its end can come
	m, err := b.start(work, p, t, pid)
	switch {
	case err == nil:
		// It runs. That nobody waits any more does not undo it: who asks again
		// must find it, or it would be started a second time.
	case gone(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		b.guard.Forget(p.Ref)
		t.close()
		return executor.Status{}, executor.Errorf(executor.OutcomeUnknown, "start %s: %w", p.Ref, err)
	default:
		b.guard.Forget(p.Ref)
		return executor.Status{}, b.undo(ctx, p.record, t, err)
	}
	st := executor.Status{Ref: p.Ref, State: executor.Running, PID: pid, StartedAt: m.StartedAt, Runtime: p.Runtime}
	b.watch(st, p.record, m.OOM, t)
	if p.mini {
		b.spares.refill()
	}
	return st, nil
}

// start starts a task that was created.
func (b *Backend) start(ctx context.Context, p plan, t *task, pid int) (mark, error) {
	m := mark{StartedAt: time.Now(), OOM: oci.OOMSourceOf(pid)}
	// Of a create that was cut off earlier, init's last words may be late.
	if err := p.Errors.Reset(); err != nil {
		return m, err
	}
	if err := b.state.put(p.Ref.ID, markFile, m); err != nil {
		return m, err
	}
	if err := failpoint.Hit("shim.start.marked"); err != nil {
		return m, err
	}
	err := t.start(ctx)
	_ = failpoint.Hit("shim.start.started")
	return m, err
}

// settle deals with the container that is in the way of a create. found means
// that it is of the same attempt and has a status; otherwise the way is free, and
// p begins where an earlier try did.
func (b *Backend) settle(ctx context.Context, p *plan) (st executor.Status, found bool, err error) {
	ref := p.Ref
	r, err := get[record](b.state, ref.ID, recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return st, false, nil
	}
	if err != nil {
		return st, false, err
	}
	if r.Ref.Attempt > ref.Attempt {
		return st, false, executor.Errorf(executor.FailedPrecondition, "container %s: attempt %d is known already", ref, r.Ref.Attempt)
	}
	same := r.Ref.Attempt == ref.Attempt
	st, phase, err := b.adopt(ctx, r, p.files, same)
	switch {
	case err != nil:
		return st, false, err
	case phase == neverRan:
		if same {
			p.Errors = r.Errors
		}
		return st, false, b.unmake(ctx, r)
	case same && !failpoint.Bug("second-start"):
		return st, true, nil
	case same:
		b.stopWatching(ref.ID)
		return st, false, b.destroy(ctx, r)
	case !st.State.Ended():
		return st, false, executor.Errorf(executor.AlreadyExists, "container %s: attempt %d is still running", ref, r.Ref.Attempt)
	}
	if err := b.handOver(ctx, r.Ref); err != nil {
		return st, false, fmt.Errorf("hand over the exit of attempt %d: %w", r.Ref.Attempt, err)
	}
	b.stopWatching(ref.ID)
	return st, false, b.destroy(ctx, r)
}
