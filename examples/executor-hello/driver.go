package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// driver knows how to start a process, and how to find it again. Everything else that the
// contract asks for is done by package lifecycle.
type driver struct {
	config  config
	dir     string // with a directory for each container
	sockets string // directory of the monitors' sockets
}

// Prepare checks a request and makes nothing.
func (d *driver) Prepare(_ context.Context, w executor.Workload) (order, error) {
	s, err := readSpec(w.Spec)
	if err == nil && w.Stdio.Stdin.Kind != executor.StreamNull {
		err = executor.Errorf(executor.Unsupported, "this executor has no input for workloads")
	}
	if err == nil {
		err = honours.Check(w)
	}
	return order{Ref: w.Ref, Spec: s, Env: d.config.Env, Stdio: w.Stdio}, err
}

// Start starts a process, or leaves nothing behind.
func (d *driver) Start(ctx context.Context, o order) (*process, executor.Status, error) {
	_, known, err := d.Find(ctx, o.Ref)
	switch {
	case err != nil:
		return nil, executor.Status{}, err
	case known:
		return nil, executor.Status{}, lifecycle.ErrInTheWay
	}
	p := d.at(o.Ref.ID)
	if err := p.start(o); err != nil {
		return nil, executor.Status{}, err
	}
	return p, p.running(), nil
}

// Find finds the process of a container, of whichever attempt it is.
func (d *driver) Find(_ context.Context, ref executor.Ref) (f lifecycle.Found[*process], ok bool, err error) {
	p := d.at(ref.ID)
	err = readJSON(p.recordFile(), &p.record)
	if errors.Is(err, fs.ErrNotExist) { // about to appear, or to go
		return f, false, nil
	}
	if err != nil {
		return f, false, err
	}
	f = lifecycle.Found[*process]{Process: p, Phase: lifecycle.Running, Status: p.running()}
	if exit := p.exit(); exit != nil {
		f.Phase, f.Status.State, f.Status.PID, f.Status.Exit = lifecycle.Ended, executor.Exited, 0, exit
	}
	return f, true, nil
}

// List finds the processes of all containers.
func (d *driver) List(ctx context.Context, known func(id, exec string) bool) ([]lifecycle.Found[*process], error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var all []lifecycle.Found[*process]
	for _, entry := range entries {
		if known(entry.Name(), "") {
			continue
		}
		f, ok, err := d.Find(ctx, executor.Ref{ID: entry.Name()})
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, f)
		}
	}
	return all, nil
}

// at returns the place of a process. There is one of a container at a time.
func (d *driver) at(id string) *process {
	hash := sha256.Sum256([]byte(id)) // ids may be too long for a socket's path
	return &process{
		dir:    filepath.Join(d.dir, id),
		socket: filepath.Join(d.sockets, hex.EncodeToString(hash[:8])),
	}
}
