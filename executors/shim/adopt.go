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
	"github.com/davit-run/davit/shared/failpoint"
)

// phase is where an attempt stands.
type phase int

const (
	// neverRan: no start was ever asked for. Only a create that was cut off
	// leaves this behind.
	neverRan phase = iota
	// created: the task waits for its start.
	created
	running
	ended
)

// finding is what was found out about an attempt.
type finding struct {
	executor.Status
	phase phase
	oom   oci.OOMSource
	task  *task // nil if there is no shim
}

func (f finding) close() {
	if f.task != nil {
		f.task.close()
	}
}

// look finds out where an attempt stands, by its directory and its shim. An error
// means that the shim lives and does not answer.
func (b *Backend) look(ctx context.Context, r record) (finding, error) {
	m, err := get[mark](b.state, r.Ref.ID, markFile)
	started := err == nil
	f := finding{Status: executor.Status{Ref: r.Ref, Runtime: r.Runtime, StartedAt: m.StartedAt}, oom: m.OOM}
	end := func(exit *executor.Exit) (finding, error) {
		f.State, f.Exit, f.phase = executor.Exited, exit, ended
		return f, nil
	}
	if exit, err := get[*executor.Exit](b.state, r.Ref.ID, exitFile); err == nil {
		if out, err := get[executor.Output](b.state, r.Ref.ID, outputFile); err == nil {
			f.State, f.Exit, f.Output, f.phase = executor.Released, exit, out, ended
			return f, nil
		}
		if r.Boot == b.boot {
			f.task, _ = b.reach(ctx, r)
		}
		return end(exit)
	}
	if !started {
		f.phase = neverRan
		return f, nil
	}
	if r.Boot != b.boot {
		return end(executor.LostExit("the machine was rebooted"))
	}
	if f.task, err = b.reach(ctx, r); err != nil {
		if !gone(err) {
			return f, executor.Errorf(executor.Unavailable, "container %s: %w", r.Ref, err)
		}
		return f.ofDead(b, r, m)
	}
	state, err := f.task.state(ctx)
	switch {
	case err == nil:
	case gone(err):
		f.close()
		f.task = nil
		return f.ofDead(b, r, m)
	case errdefs.IsNotFound(err):
		return end(executor.LostExit("the shim does not know the container any more"))
	default:
		f.close()
		return f, executor.Errorf(executor.Unavailable, "container %s: its shim does not answer: %w", r.Ref, err)
	}
	f.State, f.PID, f.phase = executor.Running, int(state.GetPid()), running
	switch state.GetStatus() {
	case tasktypes.Status_STOPPED:
		f.PID = 0
		if r.Errors.Aborted(state.GetExitStatus(), m.StartedAt, state.GetExitedAt().AsTime()) {
			f.phase = neverRan
			return f, nil
		}
		return end(oci.ExitOf(state.GetExitStatus(), state.GetExitedAt().AsTime(), executor.Recovered, m.OOM))
	case tasktypes.Status_CREATED:
		f.phase = created
	case tasktypes.Status_PAUSED, tasktypes.Status_PAUSING:
		f.State = executor.Paused
	}
	return f, nil
}

// ofDead is a finding without a shim.
func (f finding) ofDead(b *Backend, r record, m mark) (finding, error) {
	if r.Errors.Told() {
		f.phase = neverRan
		return f, nil
	}
	f.State, f.Exit, f.phase = executor.Exited, b.exitOfDead(r, m.OOM), ended
	return f, nil
}

// reach connects to the shim of an attempt.
func (b *Backend) reach(ctx context.Context, r record) (*task, error) {
	c, err := b.contact(r)
	if err != nil {
		return nil, err
	}
	return dial(ctx, c, r.Namespace, b.owner.ContainerID(r.Ref.ID))
}

// gone reports whether an error means that there is no shim.
func gone(err error) bool {
	return errors.Is(err, ttrpc.ErrClosed) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, fs.ErrNotExist)
}

// exitOfDead gives the exit of a container whose shim has died. Shims from
// containerd 2.4 on leave a note of it in the bundle.
func (b *Backend) exitOfDead(r record, oom oci.OOMSource) *executor.Exit {
	var note struct {
		Timestamp time.Time
		Pid       int
		Status    int
	}
	text, err := os.ReadFile(filepath.Join(b.state.bundle(r.Ref.ID), "exit.json"))
	if err == nil {
		err = json.Unmarshal(text, &note)
	}
	if err == nil && note.Pid > 0 && note.Status >= 0 && !note.Timestamp.IsZero() {
		return oci.ExitOf(uint32(note.Status), note.Timestamp, executor.Recovered, oom)
	}
	exit := executor.LostExit("the shim died")
	exit.OOM = oom.Killed()
	return exit
}

// adopt finds out where an attempt stands and, if it ran, makes sure that it is
// watched. One that waits for its start is started if resume is set, and else
// counts as one that never ran.
func (b *Backend) adopt(ctx context.Context, r record, files executor.Stdio, resume bool) (executor.Status, phase, error) {
	if a := b.watched(r.Ref.ID); a != nil && a.Ref == r.Ref {
		if over, err := a.Over(); !over || err == nil {
			st := a.Status()
			if st.State.Ended() {
				return st, ended, nil
			}
			return st, running, nil
		}
	}
	f, err := b.look(ctx, r)
	if err != nil {
		return executor.Status{}, 0, err
	}
	if err := failpoint.Hit("shim.adopt.looked"); err != nil {
		f.close()
		return executor.Status{}, 0, err
	}
	if f.phase == created && resume {
		// Its create was cut off between the two steps. If that start is still
		// on its way, ours fails and the status tells.
		serr := f.task.start(ctx)
		f.close()
		if f, err = b.look(ctx, r); err != nil {
			return executor.Status{}, 0, err
		}
		if f.phase == created {
			f.close()
			return executor.Status{}, 0, oci.Fault(serr)
		}
	}
	if f.phase == created || f.phase == neverRan {
		f.close()
		return f.Status, neverRan, nil
	}
	b.guard.Watch(r.Ref, files, f.PID)
	b.watch(f.Status, r, f.oom, f.task)
	return f.Status, f.phase, nil
}

// handOver waits until the host has the exit of an attempt that has ended, and
// nothing is held of it any more.
func (b *Backend) handOver(ctx context.Context, ref executor.Ref) error {
	a := b.watched(ref.ID)
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
	r, err := b.record(ref.ID)
	if err != nil {
		return executor.Status{}, err
	}
	if r.Ref != ref {
		return executor.Status{}, unknown(ref)
	}
	st, ph, err := b.adopt(ctx, r, stdio, true)
	if err != nil {
		return executor.Status{}, err
	}
	if ph == neverRan {
		if err := b.unmake(ctx, r); err != nil {
			return executor.Status{}, err
		}
		return executor.Status{}, executor.Errorf(executor.NotFound, "container %s was never started", ref)
	}
	return st, nil
}

// record reads the record of an id, of whichever attempt it is. It is the zero
// record if there is none.
func (b *Backend) record(id string) (record, error) {
	r, err := get[record](b.state, id, recordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	return r, err
}

func unknown(ref executor.Ref) error {
	return executor.Errorf(executor.NotFound, "container %s is not known", ref)
}
