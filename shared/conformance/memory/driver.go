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
	"time"

	program "github.com/davit-run/davit/shared/conformance/workload"
	"github.com/davit-run/davit/shared/executor"
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
	executor.StrayKeeper
} = (*backend)(nil)

// driver drives the workloads of one backend on a machine.
type driver struct {
	env      executor.Environment
	settings settings
	machine  machine
}

// Prepare implements [lifecycle.Driver].
func (d *driver) Prepare(_ context.Context, w executor.Workload) (order, error) {
	args, err := argsOf(w.Spec)
	if err != nil {
		return order{}, err
	}
	if err := d.settings.runnable(w.Runtime); err != nil {
		return order{}, err
	}
	if w.Stdio.Stdin.Kind != executor.StreamNull {
		return order{}, executor.Errorf(executor.Unsupported, "memory workloads read no input")
	}
	return order{Record: record{Ref: w.Ref, Runtime: w.Runtime.Name}, Stdio: w.Stdio, Args: args, Place: d.at(w.Ref.ID)}, nil
}

// argsOf returns process.args of an OCI spec, which must be a program.
func argsOf(spec json.RawMessage) ([]string, error) {
	var s struct {
		Process *struct {
			Args []string `json:"args"`
		} `json:"process"`
	}
	if err := json.Unmarshal(spec, &s); err != nil {
		return nil, executor.Errorf(executor.Invalid, "spec: %w", err)
	}
	if s.Process == nil || len(s.Process.Args) == 0 {
		return nil, executor.Errorf(executor.Invalid, "spec: process.args is empty")
	}
	_, err := parse(s.Process.Args)
	return s.Process.Args, err
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

func (d *driver) dir() string { return filepath.Join(d.env.StateDir, "workloads") }

func (d *driver) at(id string) place {
	sum := sha256.Sum256([]byte(id)) // ids may be too long for a socket's path
	return place{Dir: filepath.Join(d.dir(), id), Socket: filepath.Join(d.env.RunDir, hex.EncodeToString(sum[:8]))}
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
	p := &process{place: o.Place, machine: d.machine, answered: d.settings.config.Answered}
	if p.rec, err = d.machine.start(ctx, o); err != nil {
		return nil, executor.Status{}, errors.Join(err, o.Place.remove())
	}
	return p, p.status(), nil
}

// Find implements [lifecycle.Driver].
func (d *driver) Find(_ context.Context, ref executor.Ref) (f lifecycle.Found[*process], ok bool, err error) {
	p := &process{place: d.at(ref.ID), machine: d.machine, answered: d.settings.config.Answered}
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
func (d *driver) List(ctx context.Context, known func(string) bool) ([]lifecycle.Found[*process], error) {
	entries, err := os.ReadDir(d.dir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []lifecycle.Found[*process]
	for _, e := range entries {
		if known(e.Name()) {
			continue
		}
		f, ok, err := d.Find(ctx, executor.Ref{ID: e.Name()})
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
