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
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	// grace is how long a call to containerd may go on after the host gave up.
	grace = 5 * time.Second
	// createTries is how often a create is begun that something is in the way of,
	// over some 10 s.
	createTries = 9
	// shimDeaths is how many shims may die before they have made the container. One
	// may be taken along by the clean-up of a create that was cut off earlier.
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
}

// Create implements [executor.Backend].
func (b *Backend) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	p, err := b.plan(w)
	if err != nil {
		return executor.Status{}, err
	}
	if err := b.ready(ctx); err != nil {
		return executor.Status{}, err
	}
	run, err := b.preflight(ctx, p.runtime.Name, p.shim)
	if err != nil {
		return executor.Status{}, err
	}
	p.drain, p.shield = run.drain(), run.shield
	defer b.attempts.Creating(p.ref.ID)()

	// The record is tried first, since it is almost never there. If containerd
	// is restarted meanwhile, what it then has tells how far we had come.
	deaths := 0
	for tries := range createTries {
		if tries > 1 && !oci.Pause(ctx, 20*time.Millisecond<<tries) {
			break
		}
		st, err := b.create(ctx, p)
		switch {
		case errors.Is(err, errCutOff):
			if rerr := b.ready(ctx); rerr != nil {
				return executor.Status{}, executor.Errorf(executor.OutcomeUnknown, "containerd ended while it created %s: %w", p.ref, rerr)
			}
		case errors.Is(err, errShimDied) && deaths < shimDeaths:
			deaths++
		case !errors.Is(err, errInTheWay):
			return st, err
		}
		st, found, err := b.settle(ctx, &p)
		if found || err != nil && !errors.Is(err, executor.Unavailable) {
			return st, err
		}
	}
	err = executor.Errorf(executor.Unavailable, "containerd did not stay up for long enough to create %s", p.ref)
	if _, started := b.marks.read(p.cid, p.ref.Attempt); started {
		return executor.Status{}, executor.Errorf(executor.OutcomeUnknown, "%w", err)
	}
	return executor.Status{}, b.undo(ctx, p, err)
}

// unsure reports whether an error leaves open what became of a call. A start of
// which that is so is not undone: whoever asks again would start it a second
// time, and finds out what it did instead.
func unsure(err error) bool {
	return errdefs.IsUnavailable(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

var (
	// errInTheWay: there is a record, or a rest of an attempt that was cut off.
	errInTheWay = errors.New("something is in the way")
	// errShimDied: so it did, before the container was started, and nothing is left.
	errShimDied = errors.New("the shim died before it had started the container")
	// errCutOff: containerd ended half-way, and what was made is as it was.
	errCutOff = errors.New("containerd ended")
)

// plan checks the request without asking containerd.
func (b *Backend) plan(w executor.Workload) (plan, error) {
	if err := w.Ref.Validate(); err != nil {
		return plan{}, err
	}
	p := plan{ref: w.Ref, cid: b.owner.ContainerID(w.Ref.ID), runtime: w.Runtime, files: w.Stdio}
	var err error
	if p.shim, err = runtimes.Decode(w.Runtime.Resolved); err != nil {
		return plan{}, err
	}
	systemd := p.shim.Options.SystemdCgroup
	if p.spec, err = oci.PrepareSpec(w.Spec, b.owner.Cgroup(b.config.CgroupParent, p.cid, systemd != nil && *systemd)); err != nil {
		return plan{}, err
	}
	if p.stdio, err = oci.NewStdio(w.Stdio, p.spec.Terminal); err != nil {
		return plan{}, err
	}
	if p.binary, err = p.shim.Binary(b.wrappers(), p.stdio.Merged); err != nil {
		return plan{}, err
	}
	p.stdio = p.stdio.Split(p.shim.Kind() != runtimes.KindGeneric)
	p.errors = oci.NewInitErrors(p.stdio.Stdout, p.stdio.Stderr)
	p.wire, err = p.shim.Wire(p.binary)
	return p, err
}

// create makes record and task and starts it, or leaves nothing behind, save when
// it gives errInTheWay or errCutOff. After these and errShimDied it may be tried again.
func (b *Backend) create(ctx context.Context, p plan) (executor.Status, error) {
	work, cancel := oci.Linger(ctx, grace)
	defer cancel()
	err := failpoint.Hit("containerd.create.begin")
	if err == nil {
		err = b.makeRecord(work, p)
	}
	if errdefs.IsAlreadyExists(err) {
		return executor.Status{}, errInTheWay
	}
	var pid int
	if err == nil {
		err = failpoint.Hit("containerd.create.record")
	}
	if err == nil {
		pid, err = b.makeTask(work, p)
	}
	if err == nil {
		err = failpoint.Hit("containerd.create.task")
	}
	var m mark
	if err == nil && ctx.Err() == nil {
		b.guard.Watch(p.ref, p.files, pid) // before its end can come
		// Of a create that was cut off earlier, init's last words may be late.
		if err = p.errors.Reset(); err == nil {
			m, err = b.start(work, p.ref, p.cid, pid, p.errors, p.drain)
		}
		if err != nil {
			b.guard.Forget(p.ref)
		}
	}
	switch {
	case err == nil && m != (mark{}):
		// It runs. That nobody waits any more does not undo it: who asks again
		// must find it, or it would be started a second time.
	case m != (mark{}) && unsure(err) && ctx.Err() != nil:
		return executor.Status{}, executor.Errorf(executor.OutcomeUnknown, "start %s: %w", p.ref, oci.Fault(err))
	case ctx.Err() != nil:
		return executor.Status{}, b.undo(ctx, p, oci.Fault(ctx.Err()))
	case errdefs.IsUnavailable(err):
		return executor.Status{}, errCutOff
	case err != nil && bundleInTheWay(err) != "":
		if rerr := b.removeBundle(bundleInTheWay(err), p.cid); rerr != nil {
			return executor.Status{}, b.undo(ctx, p, rerr)
		}
		return executor.Status{}, errInTheWay
	case err != nil && m == (mark{}) && leftByAnother().MatchString(err.Error()):
		return executor.Status{}, b.undoFor(ctx, p, err, errInTheWay)
	case err != nil && m == (mark{}) && shimClosed().MatchString(err.Error()):
		return executor.Status{}, b.undoFor(ctx, p, err, fmt.Errorf("%w: %w", errShimDied, oci.Fault(err)))
	case err != nil:
		return executor.Status{}, b.undo(ctx, p, oci.Fault(err))
	}
	st := executor.Status{Ref: p.ref, State: executor.Running, PID: pid, StartedAt: m.StartedAt, Runtime: p.runtime.Name}
	b.watch(st, m.OOM, p.drain)
	return st, nil
}

// leftByAnother is how containerd and runc refuse an id whose earlier create was
// cut off and is still being cleaned up: they find something of it, or it takes
// something of ours along. The record was free, so it is nobody's.
var leftByAnother = runtimes.Regexp(`already exists|failed to write bootstrap\.json|/io\.containerd\.runtime[^ ]*: no such file or directory|getwd: no such file or directory`)

// shimClosed is how containerd tells that a shim is gone.
var shimClosed = runtimes.Regexp(`ttrpc: closed`)

// makeRecord is the first step of a create.
func (b *Backend) makeRecord(ctx context.Context, p plan) error {
	inits, err := json.Marshal(p.errors)
	if err != nil {
		return err
	}
	root := ""
	if p.shim.Options.Root != nil {
		root = filepath.Join(*p.shim.Options.Root, b.config.Namespace)
	}
	_, err = b.conn.containers.Create(ctx, &containersapi.CreateContainerRequest{Container: &containersapi.Container{
		ID: p.cid,
		Labels: map[string]string{
			labelHost:    b.owner.Host,
			labelBackend: b.owner.Backend,
			labelID:      p.ref.ID,
			labelAttempt: strconv.Itoa(p.ref.Attempt),
			labelRuntime: p.runtime.Name,
			labelBoot:    b.boot,
			labelBinary:  p.binary,
			labelRoot:    root,
			labelErrors:  string(inits),
		},
		Runtime: &containersapi.Container_Runtime{Name: p.shim.Shim, Options: p.wire.Container},
		Spec:    &anypb.Any{TypeUrl: specURL, Value: p.spec.JSON},
	}})
	return err
}

// makeTask is the second: it makes the container's first process, which waits for
// its start, and gives its pid.
func (b *Backend) makeTask(ctx context.Context, p plan) (int, error) {
	shielded := make(chan error, 1)
	go func() { shielded <- b.shield(ctx, p) }()
	resp, err := b.conn.tasks.Create(ctx, &tasksapi.CreateTaskRequest{
		ContainerID: p.cid,
		Stdin:       p.stdio.Stdin,
		Stdout:      p.stdio.Stdout,
		Stderr:      p.stdio.Stderr,
		Terminal:    p.spec.Terminal,
		Options:     p.wire.Task,
	})
	if serr := <-shielded; serr != nil && err == nil {
		b.log.Warn("the exit may be lost if containerd is down at the end", "ref", p.ref, "error", serr)
	}
	return int(resp.GetPid()), err
}

// start is the last step.
func (b *Backend) start(ctx context.Context, ref executor.Ref, cid string, pid int, errors oci.InitErrors, drain oci.DrainCap) (mark, error) {
	m := mark{Attempt: ref.Attempt, StartedAt: time.Now().UTC(), OOM: oci.OOMSourceOf(pid), Errors: errors, Drain: drain}
	if err := b.marks.write(cid, m); err != nil {
		return m, err
	}
	if err := failpoint.Hit("containerd.start.marked"); err != nil {
		return m, err
	}
	_, err := b.conn.tasks.Start(ctx, &tasksapi.StartRequest{ContainerID: cid})
	_ = failpoint.Hit("containerd.start.started")
	return m, err
}

// settle deals with the record that is in the way of a create. found means that
// it is of the same attempt and has a status; otherwise the way is free, and p
// begins where an earlier try did.
func (b *Backend) settle(ctx context.Context, p *plan) (st executor.Status, found bool, err error) {
	r, err := b.record(ctx, p.ref.ID)
	if errdefs.IsNotFound(err) {
		return st, false, nil
	}
	if err != nil {
		return st, false, oci.Fault(err)
	}
	if r.ref.Attempt > p.ref.Attempt {
		return st, false, executor.Errorf(executor.FailedPrecondition, "container %s: attempt %d is known already", p.ref, r.ref.Attempt)
	}
	same := r.ref.Attempt == p.ref.Attempt
	st, phase, err := b.adopt(ctx, r, p.files, same)
	switch {
	case err != nil:
		return st, false, err
	case phase == neverRan:
		if same {
			p.errors = r.errors
		}
		return st, false, oci.Fault(b.unmake(ctx, r))
	case same && !failpoint.Bug("second-start"):
		return st, true, nil
	case same:
		return st, false, oci.Fault(b.destroy(ctx, r.ref, nil))
	case !st.State.Ended():
		return st, false, executor.Errorf(executor.AlreadyExists, "container %s: attempt %d is still running", p.ref, r.ref.Attempt)
	}
	if err := b.handOver(ctx, r.ref); err != nil {
		return st, false, err
	}
	return st, false, oci.Fault(b.destroy(ctx, r.ref, nil))
}

// taskOf asks for the task of a container; nil means that there is none.
func (b *Backend) taskOf(ctx context.Context, cid string) (*tasktypes.Process, error) {
	resp, err := b.conn.tasks.Get(ctx, &tasksapi.GetRequest{ContainerID: cid})
	if errdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return resp.GetProcess(), nil
}
