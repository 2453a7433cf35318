package execs

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/types/known/anypb"
)

// Driver is the driver of the further processes of a backend.
type Driver struct {
	shims Shims
	state store
	boot  string
	fifos fifo.Holder
	guard *spool.Guard
	log   hclog.Logger
}

var _ lifecycle.Driver[*Plan, *Process] = (*Driver)(nil)

// New returns a driver with its records in a directory, which is made when there is one.
// It takes up the FIFOs of those that an earlier executor has started. guard guards the
// files of output.
func New(dir, boot string, shims Shims, guard *spool.Guard, log hclog.Logger) *Driver {
	d := &Driver{shims: shims, state: store{dir}, boot: boot, guard: guard, log: log}
	refs, _ := d.state.refs()
	for _, ref := range refs {
		if r, ok, err := d.state.get(ref); err == nil && ok && r.Output == "" && r.Boot == boot {
			_ = d.fifos.Hold(r.Ref, r.Stdio) // who has removed them reads no more
		}
	}
	return d
}

// Close closes the FIFOs.
func (d *Driver) Close() { d.fifos.Close() }

// Plan is a checked request.
type Plan struct {
	record
	spec     *anypb.Any
	command  string
	terminal bool
	stdio    oci.Stdio
}

// specType is what containerd calls the process of an OCI spec.
const specType = "types.containerd.io/opencontainers/runtime-spec/1/Process"

// Prepare implements [lifecycle.Driver].
func (d *Driver) Prepare(_ context.Context, w executor.Workload) (*Plan, error) {
	var spec struct {
		Terminal bool     `json:"terminal"`
		Args     []string `json:"args"`
		Cwd      string   `json:"cwd"`
	}
	err := json.Unmarshal(w.Spec, &spec)
	switch {
	case err != nil:
		return nil, executor.Errorf(executor.Invalid, "spec of a process: %w", err)
	case len(spec.Args) == 0:
		return nil, executor.Errorf(executor.Invalid, "spec of a process has no args")
	case !filepath.IsAbs(spec.Cwd):
		return nil, executor.Errorf(executor.Invalid, "spec of a process: cwd %q is not absolute", spec.Cwd)
	}
	p := &Plan{
		record: record{Ref: w.Ref, Boot: d.boot, Stdio: w.Stdio},
		spec:   &anypb.Any{TypeUrl: specType, Value: w.Spec}, command: spec.Args[0], terminal: spec.Terminal,
	}
	p.stdio, err = oci.NewStdio(w.Stdio, spec.Terminal)
	return p, err
}

// grace is how long the calls of a start may continue after the host's context has
// ended: a start that is cut off may have taken place.
const grace = 5 * time.Second

// Start implements [lifecycle.Driver].
func (d *Driver) Start(ctx context.Context, p *Plan) (*Process, executor.Status, error) {
	none := executor.Status{}
	if _, ok, err := d.state.get(p.Ref); ok || err != nil {
		return nil, none, errors.Join(err, lifecycle.ErrInTheWay)
	}
	t, err := d.shims.Reach(ctx, p.Ref.Init())
	if errors.Is(err, executor.NotFound) {
		return nil, none, executor.Errorf(executor.FailedPrecondition, "container %s has ended", p.Ref.Init())
	}
	if err != nil {
		return nil, none, err
	}
	x := &Process{driver: d, record: p.record, task: t}
	if err := d.fifos.Hold(p.Ref, p.Stdio); err != nil {
		x.Close()
		return nil, none, executor.Errorf(executor.Invalid, "output: %w", err)
	}
	if err := d.KeepInput(p.Ref, p.Stdio.Stdin); err != nil {
		d.fifos.Drop(p.Ref)
		x.Close()
		return nil, none, err
	}
	if err := x.make(ctx, p); err != nil {
		return nil, none, err
	}
	return x, x.status(), nil
}

// make makes and starts a process, or leaves nothing behind.
func (x *Process) make(ctx context.Context, p *Plan) error {
	d := x.driver
	work, cancel := oci.Linger(ctx, grace)
	defer cancel()
	err := d.state.put(x.record)
	if err == nil {
		err = x.add(work, p)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		x.Asked = time.Now()
		err = d.state.put(x.record)
	}
	if err != nil {
		return x.undo(ctx, oci.Fault(err))
	}
	x.PID, err = x.task.Start(work, x.Ref.Exec)
	switch {
	case err == nil:
	case work.Err() != nil, errdefs.IsUnavailable(err), d.ended(ctx, x.Ref):
		x.Close()
		return executor.Errorf(executor.OutcomeUnknown, "start %s: %w", x.Ref, err)
	default:
		return x.undo(ctx, oci.StartFault(err, p.command))
	}
	d.guard.Watch(x.Ref, x.Stdio, x.PID)
	x.Started = true
	if err := d.state.put(x.record); err != nil { // the shim knows it, too
		d.log.Warn("the start of a process cannot be noted", "ref", x.Ref, "error", err)
	}
	return nil
}

// add makes a process known to its shim. A process of that id, which has no record, is
// what is left of a start that was undone without its shim.
func (x *Process) add(ctx context.Context, p *Plan) error {
	stdio := p.stdio
	if !x.task.Merges() {
		stdio = stdio.Split(false)
	}
	req := &taskapi.ExecProcessRequest{
		ExecID: x.Ref.Exec, Spec: p.spec, Terminal: p.terminal,
		Stdin: stdio.Stdin, Stdout: stdio.Stdout, Stderr: stdio.Stderr,
	}
	err := x.task.Exec(ctx, req)
	if errdefs.IsAlreadyExists(err) {
		if err = x.task.Delete(ctx, x.Ref.Exec); err == nil {
			err = x.task.Exec(ctx, req)
		}
	}
	return err
}

// cleanupTimeout bounds the removal of a half-made process.
const cleanupTimeout = 20 * time.Second

// undo removes what a failed start has made, and returns the error for the caller.
func (x *Process) undo(ctx context.Context, cause error) error {
	ctx, cancel := oci.Detach(ctx, cleanupTimeout)
	defer cancel()
	defer x.Close()
	if err := x.Remove(ctx); err != nil {
		return executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", cause, err)
	}
	return cause
}

// ended reports whether an attempt is seen to have ended.
func (d *Driver) ended(ctx context.Context, ref executor.Ref) bool {
	t, err := d.shims.Reach(ctx, ref.Init())
	if err == nil {
		t.Close()
	}
	return errors.Is(err, executor.NotFound)
}

// Find implements [lifecycle.Driver].
func (d *Driver) Find(ctx context.Context, ref executor.Ref) (f lifecycle.Found[*Process], ok bool, err error) {
	r, ok, err := d.state.get(ref)
	if err != nil || !ok {
		return f, false, err
	}
	f.Process = &Process{driver: d, record: r}
	f.Phase, f.Status, err = f.Process.look(ctx)
	if err != nil {
		f.Process.Close()
	}
	return f, err == nil, err
}

// List implements [lifecycle.Driver].
func (d *Driver) List(ctx context.Context, known func(id, exec string) bool) (list []lifecycle.Found[*Process], err error) {
	refs, err := d.state.refs()
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if known(ref.ID, ref.Exec) {
			continue
		}
		f, ok, err := d.Find(ctx, ref)
		if err != nil {
			return nil, err
		}
		if ok {
			f.Process.Close()
			list = append(list, lifecycle.Found[*Process]{Phase: f.Phase, Status: f.Status})
		}
	}
	return list, nil
}

// look finds out where a process stands.
func (x *Process) look(ctx context.Context) (lifecycle.Phase, executor.Status, error) {
	st := x.status()
	end := func(exit *executor.Exit) (lifecycle.Phase, executor.Status, error) {
		st.State, st.Exit, st.PID = executor.Exited, exit, 0
		if x.Output != "" {
			st.State, st.Output = executor.Released, x.Output
		}
		return lifecycle.Ended, st, nil
	}
	switch {
	case x.Exit != nil:
		return end(x.Exit)
	case x.Asked.IsZero():
		return x.never()
	case x.Boot != x.driver.boot:
		return end(executor.LostExit("the machine was rebooted"))
	}
	t, err := x.connection(ctx)
	var state State
	if err == nil {
		state, err = t.State(ctx, x.Ref.Exec)
	}
	switch {
	case errors.Is(err, executor.NotFound), errdefs.IsNotFound(err):
		return end(lostWithAttempt())
	case err != nil && ctx.Err() != nil:
		return lifecycle.NeverRan, st, executor.Errorf(executor.Unavailable, "%s: its shim does not answer: %w", x.Ref, err)
	case err != nil: // it may run, and Wait finds out
		x.driver.log.Warn("the shim does not answer about a process", "ref", x.Ref, "error", err)
		return lifecycle.Running, st, nil
	}
	failed := state.Status == tasktypes.Status_STOPPED && state.PID == 0 && !x.Started
	if (failed || state.Status == tasktypes.Status_CREATED) && !t.Finishes() {
		return end(cutOff())
	}
	switch state.Status {
	case tasktypes.Status_STOPPED:
		if failed {
			return x.never()
		}
		return end(oci.ExitOf(state.Code, state.At, executor.Recovered, oci.OOMSource{}))
	case tasktypes.Status_CREATED:
		return lifecycle.Created, st, nil
	case tasktypes.Status_PAUSED, tasktypes.Status_PAUSING:
		st.State = executor.Paused
	}
	st.PID = state.PID
	return lifecycle.Running, st, nil
}

// never returns what is found of a process that never ran.
func (x *Process) never() (lifecycle.Phase, executor.Status, error) {
	return lifecycle.NeverRan, executor.Status{Ref: x.Ref}, nil
}

// cutOff returns the exit of a process whose start was asked for and came to nothing that
// can be seen. It is not started again: it may have run.
func cutOff() *executor.Exit {
	return executor.LostExit("its start was cut off, and nobody knows whether it ran")
}

func lostWithAttempt() *executor.Exit {
	return executor.LostExit("its shim has ended, or does not know the process any more")
}

func (x *Process) status() executor.Status {
	return executor.Status{Ref: x.Ref, State: executor.Running, PID: x.PID, StartedAt: x.Asked}
}
