package shim

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	tasktypes "github.com/containerd/containerd/api/types/task"
	"github.com/containerd/errdefs"
	"github.com/containerd/ttrpc"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/linux"
)

// finding is what was found out about an attempt.
type finding struct {
	executor.Status
	phase lifecycle.Phase
	oom   oci.OOMSource
	task  *task // nil if there is no shim, or it does not answer
	// unsure says that the shim does not answer.
	unsure bool
}

func (f finding) close() {
	if f.task != nil {
		f.task.close()
	}
}

// look finds out where an attempt stands, from its directory and its shim. The error is
// that of ctx.
func (d *driver) look(ctx context.Context, r record) (finding, error) {
	m, err := get[mark](d.state, r.Ref.ID, markFile)
	started := err == nil
	f := finding{Status: executor.Status{Ref: r.Ref, Runtime: r.Runtime, StartedAt: m.StartedAt}, oom: m.OOM}
	end := func(exit *executor.Exit) (finding, error) {
		f.State, f.Exit, f.phase = executor.Exited, exit, lifecycle.Ended
		return f, nil
	}
	if exit, err := get[*executor.Exit](d.state, r.Ref.ID, exitFile); err == nil {
		if out, err := get[executor.Output](d.state, r.Ref.ID, outputFile); err == nil {
			f.State, f.Exit, f.Output, f.phase = executor.Released, exit, out, lifecycle.Ended
			return f, nil
		}
		if r.Boot == d.boot {
			f.task, _ = d.reach(ctx, r)
		}
		return end(exit)
	}
	if !started {
		return f.unmarked(ctx, d, r)
	}
	if r.Boot != d.boot {
		return end(executor.LostExit("the machine was rebooted"))
	}
	if f.task, err = d.reach(ctx, r); err != nil {
		if !gone(err) || d.shimLives(r) {
			return f.unanswered(ctx, d, err)
		}
		return f.withoutShim(d, r, m)
	}
	state, err := f.task.state(ctx)
	switch {
	case err == nil:
	case gone(err):
		f.close()
		f.task = nil
		return f.withoutShim(d, r, m)
	case errdefs.IsNotFound(err):
		return end(executor.LostExit("the shim does not know the container any more"))
	default:
		f.close()
		f.task = nil
		return f.unanswered(ctx, d, err)
	}
	f.State, f.PID, f.phase = executor.Running, int(state.GetPid()), lifecycle.Running
	switch state.GetStatus() {
	case tasktypes.Status_STOPPED:
		f.PID = 0
		if d.neverRan(r) || !r.ownShim() && d.inDoubt(r) && r.Errors.Aborted(state.GetExitStatus(), m.StartedAt, state.GetExitedAt().AsTime()) {
			f.phase, f.State = lifecycle.NeverRan, ""
			return f, nil
		}
		return end(d.exitOf(r, state.GetExitStatus(), state.GetExitedAt().AsTime(), executor.Recovered, m.OOM))
	case tasktypes.Status_CREATED:
		f.phase = lifecycle.Created
	case tasktypes.Status_PAUSED, tasktypes.Status_PAUSING:
		f.State = executor.Paused
	}
	return f, nil
}

// unanswered returns the finding for an attempt whose shim lives and does not answer.
// It is taken to run: only what does not run is ever removed without being asked.
func (f finding) unanswered(ctx context.Context, d *driver, err error) (finding, error) {
	if ctx.Err() != nil {
		return f, executor.Errorf(executor.Unavailable, "container %s: its shim does not answer: %w", f.Ref, err)
	}
	d.log.Warn("the shim lives and does not answer", "ref", f.Ref, "error", err)
	f.State, f.phase, f.unsure = executor.Running, lifecycle.Running, true
	return f, nil
}

// unmarked returns the finding for an attempt whose start was not asked for, as far as its
// directory shows. The mark may have been lost, so that nothing which runs is taken for
// what never ran. What an undo has killed has no mark either.
func (f finding) unmarked(ctx context.Context, d *driver, r record) (finding, error) {
	f.phase = lifecycle.NeverRan
	if r.Boot != d.boot {
		return f, nil
	}
	t, err := d.reach(ctx, r)
	if err != nil {
		return f, nil
	}
	st, err := t.state(ctx)
	running := err == nil && (st.GetStatus() == tasktypes.Status_RUNNING || st.GetStatus() == tasktypes.Status_PAUSED)
	if !running {
		t.close()
		return f, nil
	}
	d.log.Warn("a container runs whose start is not recorded", "ref", r.Ref)
	f.task, f.State, f.PID, f.phase = t, executor.Running, int(st.GetPid()), lifecycle.Running
	if st.GetStatus() == tasktypes.Status_PAUSED {
		f.State = executor.Paused
	}
	return f, nil
}

// withoutShim returns the finding for an attempt without a shim.
func (f finding) withoutShim(d *driver, r record, m mark) (finding, error) {
	if d.neverRan(r) || d.inDoubt(r) && r.Errors.OnlyInit() {
		f.phase = lifecycle.NeverRan
		return f, nil
	}
	f.State, f.Exit, f.phase = executor.Exited, d.exitOfDead(r, m.OOM), lifecycle.Ended
	return f, nil
}

// reach connects to the shim of an attempt.
func (d *driver) reach(ctx context.Context, r record) (*task, error) {
	c, err := d.contact(r)
	if err != nil {
		return nil, err
	}
	return dial(ctx, c, r.Namespace, r.CID)
}

// shimLives reports whether there is a shim although its socket is gone, since somebody
// removed the directory that it was in.
func (d *driver) shimLives(r record) bool {
	path := ""
	if c, err := d.contact(r); err == nil {
		path, _ = c.socket()
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return false // it is there, and nobody listens
	}
	return len(processesWithin(d.state.bundle(r))) > 0
}

// gone reports whether an error means that nobody listens where the shim should.
func gone(err error) bool {
	return errors.Is(err, ttrpc.ErrClosed) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, fs.ErrNotExist)
}

// notExecuted is the exit code of a command that cannot be executed, by the convention
// of shells.
const notExecuted = 126

// exitOf returns the exit that a shim reported. A start is answered although a hook of
// the kind startContainer still runs, and the workload may never be executed after that.
func (d *driver) exitOf(r record, code uint32, at time.Time, source executor.Provenance, oom oci.OOMSource) *executor.Exit {
	if note, err := d.exitNote(r); err == nil && note.NeverRan && r.ownShim() {
		exit := oci.ExitOf(notExecuted, at, source, oom)
		exit.Reason = "the runtime ended before it had executed the command"
		return exit
	}
	return oci.ExitOf(code, at, source, oom)
}

// inDoubt reports whether nobody knows whether the workload was started: it was asked
// for, and not answered. Only then its output may say that it never ran, which a
// workload can print too.
func (d *driver) inDoubt(r record) bool {
	answered, _ := get[bool](d.state, r.Ref.ID, answeredFile)
	return !answered
}

// neverRan reports whether davit's own shim has seen that a workload whose start was not
// answered was never executed.
func (d *driver) neverRan(r record) bool {
	note, err := d.exitNote(r)
	return err == nil && note.NeverRan && r.ownShim() && d.inDoubt(r)
}

// exitNote is the exit that shims leave in the bundle: davit's own, and those from
// containerd 2.4 on.
type exitNote struct {
	Timestamp time.Time
	Pid       int
	Status    int
	NeverRan  bool // of davit's own alone
}

func (d *driver) exitNote(r record) (note exitNote, err error) {
	text, err := linux.ReadFile(filepath.Join(d.state.bundle(r), "exit.json"), maxFile)
	if err == nil {
		err = json.Unmarshal(text, &note)
	}
	return note, err
}

// exitOfDead returns the exit of a container whose shim has died.
func (d *driver) exitOfDead(r record, oom oci.OOMSource) *executor.Exit {
	note, err := d.exitNote(r)
	if err == nil && note.Pid > 0 && note.Status >= 0 && !note.Timestamp.IsZero() {
		return d.exitOf(r, uint32(note.Status), note.Timestamp, executor.Recovered, oom)
	}
	exit := executor.LostExit("the shim died")
	exit.OOM = oom.Killed(true)
	return exit
}

// record reads the record of an id, whatever its attempt. It returns the zero record
// if there is none.
func (d *driver) record(id string) (record, error) {
	r, err := get[record](d.state, id, recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err == nil && r.CID == "" { // written by an earlier version
		r.CID = d.owner.ContainerID(id)
	}
	return r, err
}
