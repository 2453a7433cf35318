package memory

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	program "github.com/davit-run/davit/shared/conformance/workload"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"github.com/davit-run/davit/shared/honoured"
	"github.com/davit-run/davit/shared/lifecycle"
)

// backend is the driver's backend with the capabilities that are not about processes.
type backend struct {
	*lifecycle.Backend[order, *process]
	driver   *driver
	settings settings
}

var _ interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
	executor.Closer
	executor.Pauser
	executor.Updater
	executor.Checkpointer
	executor.StrayKeeper
	executor.InputCloser
	executor.Resizer
	executor.Declarer
	executor.ImageKeeper
} = (*backend)(nil)

// Declares implements [executor.Declarer].
func (*backend) Declares() []executor.Capability { return []executor.Capability{executor.CapExec} }

// Close implements [executor.Closer].
func (b *backend) Close(ctx context.Context) error {
	err := b.Backend.Close(ctx)
	b.driver.fifos.Close()
	return err
}

// driver drives the workloads of one backend on a machine: the first processes, or the
// further ones.
type driver struct {
	env      executor.Environment
	settings settings
	machine  machine
	further  bool
	fifos    *fifo.Holder
}

// Prepare implements [lifecycle.Driver].
func (d *driver) Prepare(_ context.Context, w executor.Workload) (order, error) {
	spec, err := d.specOf(w.Spec)
	if err != nil {
		return order{}, err
	}
	if !d.further {
		if err := fields.Check(w); err != nil {
			return order{}, err
		}
	}
	if err := d.settings.runnable(w.Runtime); err != nil && !d.further {
		return order{}, err
	}
	if w.Checkpoint != "" && !isCheckpoint(w.Checkpoint) {
		return order{}, executor.Errorf(executor.NotFound, "%s: there is no checkpoint at %s", w.Ref, w.Checkpoint)
	}
	o := order{Record: record{Ref: w.Ref, Runtime: w.Runtime.Name, Stdio: w.Stdio}, Args: spec.Args, Place: d.at(w.Ref)}
	if d.further {
		o.Within = d.at(w.Ref.Init()).Socket
	}
	if w.Stdio.Terminal && spec.ConsoleSize != nil {
		o.Size = *spec.ConsoleSize
	}
	return o, nil
}

// fields are those of a spec that are honoured, or pretended to be: limits are only figures.
// There are no mounts, and no host names.
var fields = honoured.Fields{"ociVersion", "annotations", "process", "root", "linux"}

// processSpec is what is heeded of the process of an OCI spec.
type processSpec struct {
	Args        []string               `json:"args"`
	ConsoleSize *executor.TerminalSize `json:"consoleSize"`
}

// specOf returns the process of an OCI spec, or that of a further process. Its args must be
// a program.
func (d *driver) specOf(text json.RawMessage) (*processSpec, error) {
	var spec struct {
		Process *processSpec `json:"process"`
	}
	var err error
	if d.further {
		err = json.Unmarshal(text, &spec.Process)
	} else {
		err = json.Unmarshal(text, &spec)
	}
	if err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	if spec.Process == nil || len(spec.Process.Args) == 0 {
		return nil, executor.Errorf(executor.Invalid, "spec: process.args is empty")
	}
	_, err = parse(spec.Process.Args)
	return spec.Process, err
}

// parse parses a program. Errors have the codes of Create.
func parse(args []string) (program.Program, error) {
	p, err := program.Parse(args)
	code := executor.Invalid
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, program.ErrNotFound):
		code = executor.CommandNotFound
	case errors.Is(err, program.ErrNotExecutable):
		code = executor.CommandNotExecutable
	}
	return p, executor.Errorf(code, "%w", err)
}

func (d *driver) dir() string {
	if d.further {
		return filepath.Join(d.env.StateDir, "execs")
	}
	return filepath.Join(d.env.StateDir, "workloads")
}

// separator stands between the ids of a container and of a further process.
const separator = "."

func (d *driver) at(ref executor.Ref) place {
	name, dir := ref.ID, "workloads"
	if ref.Exec != "" {
		name, dir = ref.ID+separator+ref.Exec, "execs"
	}
	sum := sha256.Sum256([]byte(name)) // ids may be too long for a socket's path
	return place{Dir: filepath.Join(d.env.StateDir, dir, name), Socket: filepath.Join(d.env.RunDir, hex.EncodeToString(sum[:8]))}
}

// Start implements [lifecycle.Driver].
func (d *driver) Start(ctx context.Context, o order) (*process, executor.Status, error) {
	if f, ok, err := d.Find(ctx, o.Record.Ref); ok || err != nil {
		return nil, f.Status, errors.Join(err, lifecycle.ErrInTheWay)
	}
	select {
	case <-time.After(d.settings.config.createDelay):
	case <-ctx.Done():
		return nil, executor.Status{}, executor.Errorf(executor.CodeOf(ctx.Err()), "%s: not started: %w", o.Record.Ref, context.Cause(ctx))
	}
	err := o.Place.remove() // what a start that was cut off has left
	if err == nil {
		err = os.MkdirAll(o.Place.Dir, 0o700)
	}
	if err != nil {
		return nil, executor.Status{}, err
	}
	if err := d.fifos.Hold(o.Record.Ref, o.Record.Stdio); err != nil {
		return nil, executor.Status{}, errors.Join(executor.Errorf(executor.Invalid, "output: %w", err), o.Place.remove())
	}
	p := d.process(o.Place)
	if p.rec, err = d.machine.start(ctx, o); err != nil {
		d.fifos.Drop(o.Record.Ref)
		return nil, executor.Status{}, errors.Join(err, o.Place.remove())
	}
	return p, p.status(), nil
}

func (d *driver) process(at place) *process {
	return &process{place: at, machine: d.machine, answered: d.settings.config.Answered, fifos: d.fifos}
}

// Find implements [lifecycle.Driver].
func (d *driver) Find(_ context.Context, ref executor.Ref) (f lifecycle.Found[*process], ok bool, err error) {
	p := d.process(d.at(ref))
	switch err := readJSON(p.recordFile(), &p.rec); {
	case errors.Is(err, fs.ErrNotExist): // about to start, or to be removed
		return f, false, nil
	case torn(err): // by a power failure, which nothing has outlived
		return f, false, nil
	case err != nil:
		return f, false, err
	}
	f = lifecycle.Found[*process]{Process: p, Phase: lifecycle.Running, Status: p.status()}
	if exit := p.exit(); exit != nil {
		f.Phase, f.Status.State, f.Status.PID, f.Status.Exit = lifecycle.Ended, executor.Exited, 0, exit
	} else if _, err := os.Stat(p.pausedFile()); err == nil {
		f.Status.State = executor.Paused
	}
	return f, true, nil
}

// torn reports whether err is that of a file without all of its content.
func torn(err error) bool {
	_, broken := errors.AsType[*json.SyntaxError](err)
	return broken || errors.Is(err, io.ErrUnexpectedEOF)
}

// List implements [lifecycle.Driver].
func (d *driver) List(ctx context.Context, known func(id, exec string) bool) ([]lifecycle.Found[*process], error) {
	entries, err := os.ReadDir(d.dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []lifecycle.Found[*process]
	for _, e := range entries {
		id, exec, _ := strings.Cut(e.Name(), separator)
		if known(id, exec) {
			continue
		}
		f, ok, err := d.Find(ctx, executor.Ref{ID: id, Exec: exec})
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, f)
		}
	}
	return all, nil
}

// listens reports whether a workload runs.
func (p place) listens() bool {
	conn, err := net.Dial("unix", p.Socket)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}
