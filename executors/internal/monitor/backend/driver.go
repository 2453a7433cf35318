package backend

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// driver is the [lifecycle.Driver] of monitors.
type driver[P lifecycle.Process] struct {
	containers
	prepare Prepare
	as      func(*Process) P
}

// job is a checked request.
type job struct {
	executor.Workload
	monitor.Job
}

// note is what a job keeps for this package.
type note struct {
	Ref     executor.Ref `json:"ref"`
	Runtime string       `json:"runtime,omitempty"`

	Stdio executor.Stdio `json:"stdio"`
}

// Prepare implements [lifecycle.Driver].
func (d *driver[P]) Prepare(ctx context.Context, w executor.Workload) (job, error) {
	planned, err := d.prepare(ctx, w)
	if err == nil {
		err = setStdio(&planned, w)
	}
	if err == nil {
		planned.Name = w.Ref.String()
		planned.Note, err = json.Marshal(note{Ref: w.Ref, Runtime: w.Runtime.Name, Stdio: w.Stdio})
	}
	return job{w, planned}, err
}

// setStdio sets the streams of a job. The error says which of them it cannot have.
func setStdio(job *monitor.Job, w executor.Workload) error {
	s := w.Stdio
	if s.Stdin.Kind == executor.StreamFile {
		return executor.Errorf(executor.Unsupported, "stdin from a file is not supported; use a fifo")
	}
	job.Stdin = s.Stdin
	for _, v := range []struct {
		name string
		executor.Stream
		to *executor.Stream
	}{{"stdout", s.Stdout, &job.Stdout}, {"stderr", s.Stderr, &job.Stderr}} {
		switch {
		case v.Kind == executor.StreamNull:
		case v.Kind == executor.StreamFile, v.Kind == executor.StreamFIFO && w.Ref.Exec != "":
			*v.to = v.Stream
		default:
			return executor.Errorf(executor.Unsupported, "%s: a stream of kind %q is not supported; use a file", v.name, v.Kind)
		}
	}
	return nil
}

// Start implements [lifecycle.Driver].
func (d *driver[P]) Start(ctx context.Context, j job) (p P, st executor.Status, err error) {
	id := nameOf(j.Ref)
	if d.hooks.Hold != nil {
		defer d.hooks.Hold()()
	}
	if err := os.Mkdir(d.path(id), 0o700); errors.Is(err, fs.ErrExist) {
		return p, st, errors.Join(lifecycle.ErrInTheWay, d.clear(ctx, id))
	} else if err != nil {
		return p, st, err
	}
	var began monitor.Status
	if err = d.reserveOutput(id); err == nil {
		err = d.fifos.Hold(j.Ref, j.Stdio)
	}
	if err == nil {
		began, err = monitor.Start(ctx, d.path(id), j.Job)
	}
	if err != nil {
		d.fifos.Drop(j.Ref)
		if derr := d.remove(ctx, id); derr != nil {
			err = executor.Errorf(executor.OutcomeUnknown, "%w; and removing what was made failed: %w", err, derr)
		}
		return p, st, err
	}
	process := d.process(j.Ref)
	process.Adopt(j.Stdio)
	st = executor.Status{Ref: j.Ref, State: executor.Running, PID: began.PID, StartedAt: began.StartedAt, Runtime: j.Runtime.Name}
	return d.as(process), st, nil
}

// clear removes a directory in which nothing was ever started.
func (d *driver[P]) clear(ctx context.Context, id string) error {
	if _, _, known, err := d.look(id); known || err != nil {
		return err
	}
	return d.discard(ctx, id)
}

// phases maps the phases of monitors. Find waits for a monitor that is about to start
// its workload.
var phases = map[monitor.Phase]lifecycle.Phase{
	monitor.NeverRan: lifecycle.NeverRan,
	monitor.Starting: lifecycle.Running,
	monitor.Running:  lifecycle.Running,
	monitor.Ended:    lifecycle.Ended,
}

// Find implements [lifecycle.Driver].
func (d *driver[P]) Find(ctx context.Context, ref executor.Ref) (f lifecycle.Found[P], ok bool, err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		st, phase, known, err := d.look(nameOf(ref))
		if err != nil || !known {
			return f, false, err
		}
		if phase != monitor.Starting {
			return lifecycle.Found[P]{Process: d.as(d.process(st.Ref)), Phase: phases[phase], Status: st}, true, nil
		}
		// An executor that was killed had just begun to start it.
		select {
		case <-ctx.Done():
			return f, false, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// List implements [lifecycle.Driver].
func (d *driver[P]) List(ctx context.Context, isKnown func(id, exec string) bool) ([]lifecycle.Found[P], error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var list []lifecycle.Found[P]
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if id, exec, _ := strings.Cut(e.Name(), separator); isKnown(id, exec) {
			continue
		}
		st, phase, known, err := d.look(e.Name())
		if err != nil {
			d.log.Warn("container's record is not readable", "id", e.Name(), "error", err)
		}
		if err == nil && known {
			list = append(list, lifecycle.Found[P]{Phase: phases[phase], Status: st})
		}
	}
	return list, nil
}
