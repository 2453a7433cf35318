package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/quirks"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/trace"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	// grace is how long a call to containerd may continue after the host's context
	// has ended.
	grace = 5 * time.Second
	// createTries is how often a create is tried while something is in its way, over
	// some 10 s.
	createTries = 9
	// shimDeaths is how many shims may die before they have made the container. The
	// clean-up of a create that was cut off earlier may take one of them with it.
	shimDeaths = 2
	// cleanupTimeout bounds the removal of a half-made container.
	cleanupTimeout = 20 * time.Second
)

// plan is a checked request to create a container.
type plan struct {
	ref     executor.Ref
	cid     string
	runtime executor.Runtime
	shim    runtimes.Resolved
	binary  string // OCI binary, empty for the shim's default
	wire    runtimes.Wire
	drain   oci.DrainCap
	shield  bool
	spec    oci.Spec
	stdio   oci.Stdio
	errors  oci.InitErrors
	files   executor.Stdio
	root    string // where the OCI runtime has its state, "" for its default
	deaths  int    // of shims, so far
}

// newRecord returns the record that is created for p.
func (d *driver) newRecord(p *plan) record {
	return record{
		ref: p.ref, cid: p.cid, runtime: p.runtime.Name, shim: p.shim.Shim, boot: d.boot,
		binary: p.binary, root: p.root, errors: p.errors,
	}
}

// Prepare implements [lifecycle.Driver].
func (d *driver) Prepare(ctx context.Context, w executor.Workload) (*plan, error) {
	p, err := d.plan(w)
	if err != nil {
		return nil, err
	}
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	run, err := d.preflight(ctx, p.runtime.Name, p.shim)
	if err != nil {
		return nil, err
	}
	if err := p.spec.CheckNamespaces("containerd", run.daemon); err != nil {
		return nil, err
	}
	p.drain, p.shield = run.drain(), run.shield
	return p, oci.CheckTmpfsModes(p.spec, run.oci, func() string { return d.catalog.Version(ctx, run.oci, "--version") })
}

// Inherit implements [lifecycle.Inheritor]: p continues what an earlier try began.
func (d *driver) Inherit(p *plan, from *process) { p.errors = from.errors }

// Retry implements [lifecycle.Retrier]. If containerd is restarted, what it then has
// shows how far a start had come.
func (d *driver) Retry(ctx context.Context, p *plan, tries int, cause error) error {
	switch {
	case errors.Is(cause, errCutOff):
		if err := d.ready(ctx); err != nil {
			return executor.Errorf(executor.OutcomeUnknown, "containerd ended while it created %s: %w", p.ref, err)
		}
	case errors.Is(cause, errShimDied):
		if p.deaths++; p.deaths > shimDeaths {
			return cause
		}
	}
	if tries == 1 || tries < createTries && oci.Pause(ctx, 20*time.Millisecond<<tries) {
		return nil
	}
	err := executor.Errorf(executor.Unavailable, "container %s could not be created in %d tries: %w", p.ref, tries, cause)
	if _, started := d.marks.read(p.cid, p.ref.Attempt); started {
		return executor.Errorf(executor.OutcomeUnknown, "%w", err)
	}
	return d.undo(ctx, p, err)
}

// unsure reports whether an error leaves open what became of a call. Such a start is
// not undone, since a repeated call would then start the container a second time.
// Instead the repeated call finds out what the start did.
func unsure(err error) bool {
	return errdefs.IsUnavailable(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// again is a reason to try a start again, after a look at what there is.
type again string

const (
	// errInTheWay: there is a record, or remains of an attempt that was cut off.
	errInTheWay again = "something is in the way"
	// errShimDied: the shim died before the container was started, and nothing is
	// left.
	errShimDied again = "the shim died before it had started the container"
	// errCutOff: containerd ended half-way, and what was made until then is still
	// there.
	errCutOff again = "containerd ended"
)

func (a again) Error() string { return string(a) }

// by returns the reason with the error that shows it.
func (a again) by(err error) error { return fmt.Errorf("%w: %w", a, oci.Fault(err)) }

// Is makes the engine try again: each reason is a [lifecycle.ErrInTheWay].
func (a again) Is(target error) bool { return target == lifecycle.ErrInTheWay }

// plan checks the request without a call to containerd.
func (d *driver) plan(w executor.Workload) (*plan, error) {
	p := &plan{ref: w.Ref, cid: d.cid(w.Ref.ID), runtime: w.Runtime, files: w.Stdio}
	var err error
	if p.shim, err = runtimes.Decode(w.Runtime.Resolved); err != nil {
		return nil, err
	}
	if p.spec, err = oci.PrepareSpec(w.Spec, oci.Cgrouping{Owner: d.owner, Parent: d.config.CgroupParent, CID: p.cid, Systemd: &p.shim.Options.SystemdCgroup}); err != nil {
		return nil, err
	}
	if p.shim.Kind() != runtimes.KindGeneric {
		if err := p.spec.CheckCommand(); err != nil {
			return nil, err
		}
	}
	if p.stdio, err = oci.NewStdio(w.Stdio, p.spec.Terminal); err != nil {
		return nil, err
	}
	if p.binary, err = p.shim.Binary(d.wrappers(), p.stdio.Merged); err != nil {
		return nil, err
	}
	p.stdio = p.stdio.Split(p.shim.Kind() != runtimes.KindGeneric)
	p.errors = oci.NewInitErrors(p.stdio.Stdout, p.stdio.Stderr)
	if p.shim.Options.Root != nil {
		p.root = filepath.Join(*p.shim.Options.Root, d.config.Namespace)
	}
	p.wire, err = p.shim.Wire(p.binary, p.spec.Pipes)
	return p, err
}

// Start implements [lifecycle.Driver]. The record comes first, since it is almost
// never there.
func (d *driver) Start(ctx context.Context, p *plan) (*process, executor.Status, error) {
	work, cancel := oci.Linger(ctx, grace)
	defer cancel()
	defer d.cgroups.Hold()()
	none := executor.Status{}
	err := d.createRecord(work, p)
	if errdefs.IsAlreadyExists(err) {
		return nil, none, errInTheWay
	}
	if err == nil {
		err = d.execs.KeepInput(p.ref, p.files.Stdin)
	}
	var pid int
	if err == nil {
		hurried := d.hurry(ctx, p.cid)
		pid, err = d.createTask(work, p)
		hurried()
	}
	var m mark
	if err == nil && ctx.Err() == nil {
		d.guard.Watch(p.ref, p.files, pid) // before its end can come
		// The output of an init whose create was cut off earlier may arrive late.
		if !p.spec.Scheduled {
			oci.ResetNice(pid)
		}
		if err = p.errors.Reset(); err == nil {
			m, err = d.start(work, p.ref, p.cid, pid, p.errors, p.drain)
		}
		if err != nil {
			d.guard.Forget(p.ref)
			m.OOM.Forget()
		}
	}
	if err == nil && m != (mark{}) {
		// It runs, and is not undone although nobody waits any more: a repeated call
		// must find it, or it would be started a second time.
		st := executor.Status{Ref: p.ref, State: executor.Running, PID: pid, StartedAt: m.StartedAt, Runtime: p.runtime.Name}
		return &process{driver: d, record: d.newRecord(p), mark: m, phase: lifecycle.Running, pid: pid}, st, nil
	}
	d.execs.EndInput(p.ref)
	return nil, none, d.failed(ctx, p, m, err)
}

// failed cleans up after a start that did not succeed. Nothing is left behind, except
// with errInTheWay and errCutOff. m is zero if the start of the task was not asked
// for yet.
func (d *driver) failed(ctx context.Context, p *plan, m mark, err error) error {
	switch {
	case m != (mark{}) && unsure(err) && ctx.Err() != nil:
		return executor.Errorf(executor.OutcomeUnknown, "start %s: %w", p.ref, oci.Fault(err))
	case ctx.Err() != nil:
		return d.undo(ctx, p, oci.Fault(ctx.Err()))
	case errdefs.IsUnavailable(err):
		return errCutOff.by(err)
	case quirks.BundleInTheWay(err, p.cid) != "":
		if rerr := d.removeBundle(quirks.BundleInTheWay(err, p.cid), p.cid); rerr != nil {
			return d.undo(ctx, p, fmt.Errorf("%w; and removing the bundle failed: %w", oci.Fault(err), rerr))
		}
		return errInTheWay.by(err)
	case m == (mark{}) && quirks.LeftByAnother(err, p.cid):
		return d.undoFor(ctx, p, err, errInTheWay.by(err))
	case m == (mark{}) && quirks.ShimClosed(err):
		return d.undoFor(ctx, p, err, errShimDied.by(err))
	}
	err = oci.StartFault(err, p.spec.Command)
	if m == (mark{}) {
		err = p.errors.Explain(err)
	}
	return d.undo(ctx, p, err)
}

// createRecord creates the record: the first step of a create.
func (d *driver) createRecord(ctx context.Context, p *plan) (err error) {
	inits, err := json.Marshal(p.errors)
	if err != nil {
		return err
	}
	ctx, span := trace.Start(ctx, "record")
	defer func() { span.End(err) }()
	_, err = d.conn.containers.Create(ctx, &containersapi.CreateContainerRequest{Container: &containersapi.Container{
		ID: p.cid,
		Labels: map[string]string{
			labelHost:    d.owner.Host,
			labelBackend: d.owner.Backend,
			labelState:   d.env.StateDir,
			labelID:      p.ref.ID,
			labelAttempt: strconv.Itoa(p.ref.Attempt),
			labelRuntime: p.runtime.Name,
			labelBoot:    d.boot,
			labelBinary:  p.binary,
			labelRoot:    p.root,
			labelErrors:  string(inits),
		},
		Runtime: &containersapi.Container_Runtime{Name: p.shim.Shim, Options: p.wire.Container},
		Spec:    &anypb.Any{TypeUrl: specURL, Value: p.spec.JSON},
	}})
	return err
}

// createTask creates the task: the second step of a create. It returns the pid of the
// container's first process, which waits for its start.
func (d *driver) createTask(ctx context.Context, p *plan) (int, error) {
	ctx, span := trace.Start(ctx, "task.create")
	shielded := make(chan error, 1)
	go func() { shielded <- d.shield(ctx, p) }()
	resp, err := d.conn.tasks.Create(ctx, &tasksapi.CreateTaskRequest{
		ContainerID: p.cid,
		Stdin:       p.stdio.Stdin,
		Stdout:      p.stdio.Stdout,
		Stderr:      p.stdio.Stderr,
		Terminal:    p.spec.Terminal,
		Options:     p.wire.Task,
	})
	span.End(err)
	if serr := <-shielded; serr != nil && err == nil {
		d.log.Warn("the exit may be lost if containerd is down at the end", "ref", p.ref, "error", serr)
	}
	return int(resp.GetPid()), err
}

// start starts the task: the last step of a create.
func (d *driver) start(ctx context.Context, ref executor.Ref, cid string, pid int, errors oci.InitErrors, drain oci.DrainCap) (mark, error) {
	m := mark{Attempt: ref.Attempt, StartedAt: time.Now().UTC(), OOM: d.ooms.Watch(oci.OOMSourceOf(pid)), Errors: errors, Drain: drain}
	if err := d.marks.write(cid, m, pid); err != nil {
		return m, err
	}
	ctx, span := trace.Start(ctx, "task.start")
	_, err := d.conn.tasks.Start(ctx, &tasksapi.StartRequest{ContainerID: cid})
	span.End(err)
	if err == nil {
		// It runs. A mark that cannot be written leaves only a doubt that nobody may have.
		if werr := d.marks.answered(cid, m); werr != nil {
			d.log.Warn("the answer to a start cannot be noted", "ref", ref, "error", werr)
		}
	}
	return m, err
}
