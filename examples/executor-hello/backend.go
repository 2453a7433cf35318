package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// backend is an opened backend. It knows nothing that is not on disk, apart from
// what it watches: see attempt.go. The plugin kit never runs two calls for one
// container at once.
type backend struct {
	host     executor.Host
	config   config
	attempts string // directory with a directory for each container
	sockets  string // directory of the monitors' sockets

	lifetime context.Context // of the watches; ends in Close
	stop     context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex
	watches map[executor.Ref]*watch
}

// Create starts a workload, or reports the one that it has started already.
func (b *backend) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	known, err := b.load(w.Ref.ID)
	switch {
	case errors.Is(err, executor.NotFound):
	case err != nil:
		return executor.Status{}, err
	case known.Ref.Attempt == w.Ref.Attempt:
		return b.status(known, b.watch(known)), nil
	case known.Ref.Attempt > w.Ref.Attempt:
		return executor.Status{}, executor.Errorf(executor.FailedPrecondition, "%s: attempt %d is known", w.Ref, known.Ref.Attempt)
	case known.exit() == nil:
		return executor.Status{}, executor.Errorf(executor.AlreadyExists, "%s still runs", known.Ref)
	}
	spec, err := readSpec(w.Spec)
	if err != nil {
		return executor.Status{}, err
	}
	if known != nil {
		if err := b.handOver(ctx, known); err != nil {
			return executor.Status{}, err
		}
	}
	if err := ctx.Err(); err != nil { // from here on it takes milliseconds
		return executor.Status{}, executor.Errorf(executor.CodeOf(err), "%s: not started: %w", w.Ref, err)
	}
	a := b.at(w.Ref)
	if err := a.start(order{Ref: w.Ref, Stdio: w.Stdio, Spec: spec, Env: b.config.Env}); err != nil {
		return executor.Status{}, err
	}
	return b.status(a, b.watch(a)), nil
}

// handOver makes room for a newer attempt.
func (b *backend) handOver(ctx context.Context, stale *attempt) error {
	w := b.watch(stale)
	select {
	case <-w.done:
	case <-ctx.Done():
		return executor.Errorf(executor.CodeOf(ctx.Err()), "%s: its exit is not handed over yet: %w", stale.Ref, ctx.Err())
	}
	if w.err != nil {
		return executor.Errorf(executor.FailedPrecondition, "%s: the host did not take its exit: %w", stale.Ref, w.err)
	}
	return b.forget(stale)
}

// Restore takes an attempt up that this process or an earlier one has started.
func (b *backend) Restore(_ context.Context, ref executor.Ref, _ executor.Stdio) (executor.Status, error) {
	a, err := b.get(ref)
	if err != nil {
		return executor.Status{}, err
	}
	return b.status(a, b.watch(a)), nil
}

// List gives all attempts of this backend.
func (b *backend) List(context.Context) ([]executor.Status, error) {
	entries, err := os.ReadDir(b.attempts)
	if err != nil {
		return nil, err
	}
	var all []executor.Status
	for _, entry := range entries {
		a, err := b.load(entry.Name())
		if errors.Is(err, executor.NotFound) { // about to appear, or to go
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, b.status(a, b.watched(a.Ref)))
	}
	return all, nil
}

// Signal sends a signal to a workload that runs.
func (b *backend) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	a, err := b.get(ref)
	if err != nil {
		return err
	}
	return a.signal(ctx, sig)
}

// Delete removes an attempt that has ended.
func (b *backend) Delete(_ context.Context, ref executor.Ref) error {
	a, err := b.get(ref)
	switch {
	case errors.Is(err, executor.NotFound):
		return nil
	case err != nil:
		return err
	case a.exit() == nil:
		return executor.Errorf(executor.FailedPrecondition, "%s still runs", ref)
	}
	return b.forget(a)
}

// Close ends what only this process needs. Workloads run on.
func (b *backend) Close(context.Context) error {
	b.stop()
	b.wg.Wait()
	return nil
}

// get gives an attempt, and NotFound also for another attempt of its container.
func (b *backend) get(ref executor.Ref) (*attempt, error) {
	a, err := b.load(ref.ID)
	if err == nil && a.Ref != ref {
		return nil, executor.Errorf(executor.NotFound, "no attempt %s", ref)
	}
	return a, err
}

// load gives the attempt of a container.
func (b *backend) load(id string) (*attempt, error) {
	a := b.at(executor.Ref{ID: id})
	err := readJSON(a.recordFile(), &a.record)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, executor.Errorf(executor.NotFound, "no container %s", id)
	}
	return a, err
}
