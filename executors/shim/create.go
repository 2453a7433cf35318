package shim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/trace"
)

const (
	// createGrace is how long the creation of a task may continue after the host's
	// context has ended, and grace its start. What is being created can be removed at any
	// moment, by force. A start that is cut off may have taken place.
	createGrace = time.Second
	grace       = 5 * time.Second
	// cleanupTimeout bounds the removal of a half-made container.
	cleanupTimeout = 20 * time.Second
	// endTimeout is the part of cleanupTimeout that a shim may take to end its task.
	// After that it is killed.
	endTimeout = 12 * time.Second
)

// plan is a checked request to create a container.
type plan struct {
	record
	prog  program
	wire  runtimes.Wire
	spec  oci.Spec
	stdio oci.Stdio
	files executor.Stdio
}

// Start implements [lifecycle.Driver].
func (d *driver) Start(ctx context.Context, p *plan) (*process, executor.Status, error) {
	defer d.cgroups.Hold()()
	// The directory is added before anything is looked for, since its name is almost
	// always free.
	err := d.state.add(p.record, p.spec.JSON)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, executor.Status{}, lifecycle.ErrInTheWay
	case err != nil:
		return nil, executor.Status{}, err
	}
	if err := d.execs.KeepInput(p.Ref, p.files.Stdin); err != nil {
		return nil, executor.Status{}, d.undo(ctx, p.record, nil, err)
	}
	created, st, err := d.create(ctx, p)
	if err != nil {
		d.execs.EndInput(p.Ref)
	}
	return created, st, err
}

// Inherit implements [lifecycle.Inheritor]: p continues what an earlier try began.
func (d *driver) Inherit(p *plan, from *process) { p.Errors = from.Errors }

// Prepare implements [lifecycle.Driver]. It finds what the request needs. It makes
// nothing but the script of a runtime with args.
func (d *driver) Prepare(ctx context.Context, w executor.Workload) (*plan, error) {
	resolved, err := runtimes.Decode(w.Runtime.Resolved)
	if err != nil {
		return nil, err
	}
	cid := d.owner.ContainerID(w.Ref.ID)
	p := &plan{files: w.Stdio}
	if p.spec, err = oci.PrepareSpec(w.Spec, oci.Cgrouping{Owner: d.owner, Parent: d.config.CgroupParent, CID: cid, Systemd: &resolved.Options.SystemdCgroup}); err != nil {
		return nil, err
	}
	if resolved.Kind() == runtimes.KindRunc {
		if err := p.spec.CheckCommand(); err != nil {
			return nil, err
		}
		if p.spec.JSON, err = ungroup(p.spec.JSON); err != nil {
			return nil, err
		}
	}
	if p.stdio, err = oci.NewStdio(w.Stdio, p.spec.Terminal); err != nil {
		return nil, err
	}
	if p.prog, err = d.programs(ctx, w.Runtime.Name, resolved); err != nil {
		return nil, err
	}
	if err := oci.CheckTmpfsModes(p.spec, p.prog.oci, func() string { return d.catalog.Version(ctx, p.prog.oci, "--version") }); err != nil {
		return nil, err
	}
	p.record = record{
		Ref: w.Ref, CID: cid, Runtime: w.Runtime.Name, Shim: p.prog.path, Namespace: d.config.Namespace,
		Boot: d.boot, CreatedAt: time.Now(), Drain: p.prog.drain(),
	}
	binary, err := resolved.Binary(d.wrappers(), p.stdio.Merged && !p.ownShim())
	if err != nil {
		return nil, err
	}
	if o := resolved.Options; resolved.Kind() == runtimes.KindRunc && o.Root != nil {
		p.OCI, p.Root = cmp.Or(binary, p.prog.oci), filepath.Join(*o.Root, d.config.Namespace)
	}
	if p.ownShim() && p.OCI == "" { // without them nobody could remove it if its shim dies
		return nil, executor.Errorf(executor.Invalid, "resolved runtime has no root; resolve it with the backend that is to run it")
	}
	if !p.ownShim() {
		p.stdio = p.stdio.Split(resolved.Kind() != runtimes.KindGeneric)
	}
	p.Errors = oci.NewInitErrors(p.stdio.Stdout, p.stdio.Stderr)
	p.wire, err = resolved.Wire(binary, p.spec.Pipes)
	return p, err
}

// ungroup removes from a spec what makes the shim of runc serve it together with
// other containers. That shim does not check who asks for a group, and grouped
// containers share its fate.
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
func (d *driver) create(ctx context.Context, p *plan) (*process, executor.Status, error) {
	making, cancel := oci.Linger(ctx, createGrace)
	defer cancel()
	none := executor.Status{}
	t, pid, err := d.createTask(making, p)
	if t != nil && making.Err() != nil {
		// Its shim is busy with what was cut off, and answers nothing before it is done.
		t.close()
		t = nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, none, d.undo(ctx, p.record, t, p.Errors.Explain(oci.StartFault(err, p.spec.Command)))
	}
	d.guard.Watch(p.Ref, p.files, pid) // before its end can come
	work, cancel := oci.Linger(ctx, grace)
	defer cancel()
	m, err := d.start(work, p, t, pid)
	switch {
	case err == nil:
		// It runs, and is not undone although nobody waits any more: a repeated call
		// must find it, or it would be started a second time.
	case gone(err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		d.guard.Forget(p.Ref)
		m.OOM.Forget()
		t.close()
		return nil, none, executor.Errorf(executor.OutcomeUnknown, "start %s: %w", p.Ref, err)
	case p.ownShim() && errdefs.IsAborted(err):
		d.guard.Forget(p.Ref)
		m.OOM.Forget()
		cause := p.Errors.NotExecuted()
		_ = d.state.drop(p.Ref.ID, markFile) // what was written is not the workload's
		return nil, none, d.undo(ctx, p.record, t, cause)
	default:
		d.guard.Forget(p.Ref)
		m.OOM.Forget()
		return nil, none, d.undo(ctx, p.record, t, oci.StartFault(err, p.spec.Command))
	}
	if p.ownShim() {
		d.pool.refill()
	}
	st := executor.Status{Ref: p.Ref, State: executor.Running, PID: pid, StartedAt: m.StartedAt, Runtime: p.Runtime}
	return &process{driver: d, record: p.record, oom: m.OOM, phase: lifecycle.Running, task: t}, st, nil
}

// createTask starts the shim, lets it create the task, and returns the task's pid. It
// may return a connection to the shim together with an error.
func (d *driver) createTask(ctx context.Context, p *plan) (*task, int, error) {
	t, err := d.launch(ctx, p)
	if err != nil {
		return nil, 0, err
	}
	ctx, span := trace.Start(ctx, "shim.create")
	pid, err := t.create(ctx, &taskapi.CreateTaskRequest{
		ID:       p.CID,
		Bundle:   d.state.bundle(p.record),
		Stdin:    p.stdio.Stdin,
		Stdout:   p.stdio.Stdout,
		Stderr:   p.stdio.Stderr,
		Terminal: p.spec.Terminal,
		Options:  p.wire.Container,
	})
	span.End(err)
	return t, pid, err
}

// launch starts the shim and connects to it.
func (d *driver) launch(ctx context.Context, p *plan) (t *task, err error) {
	ctx, span := trace.Start(ctx, "shim.launch")
	span.Set("davit.shim", p.Shim)
	defer func() { span.End(err) }()
	c, err := d.startShim(ctx, p)
	if err != nil {
		return nil, err
	}
	return dial(ctx, c, p.Namespace, p.CID)
}

// start starts a task that was created.
func (d *driver) start(ctx context.Context, p *plan, t *task, pid int) (mark, error) {
	m := mark{StartedAt: time.Now(), OOM: d.ooms.Watch(oci.OOMSourceOf(pid))}
	// The output of an init whose create was cut off earlier may arrive late.
	if err := p.Errors.Reset(); err != nil {
		return m, err
	}
	err := d.state.put(p.Ref.ID, remainsFile, oci.RemainsOf(pid, p.CID))
	if err == nil {
		err = d.state.put(p.Ref.ID, markFile, m)
	}
	if err != nil {
		return m, err
	}
	if !p.spec.Scheduled {
		oci.ResetNice(pid)
	}
	ctx, span := trace.Start(ctx, "shim.start")
	err = t.start(ctx)
	span.End(err)
	if err != nil {
		return m, err
	}
	// It runs. A file that cannot be written leaves only a doubt that nobody may have.
	if err := d.state.put(p.Ref.ID, answeredFile, true); err != nil {
		d.log.Warn("the answer to a start cannot be noted", "ref", p.Ref, "error", err)
	}
	return m, nil
}
