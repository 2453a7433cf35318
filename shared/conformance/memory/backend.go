package memory

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// backend implements executor.Backend over a platform. It relies on the plugin
// kit, as every backend may, for at most one call per id at a time.
type backend struct {
	env      executor.Environment
	host     executor.Host
	settings settings
	platform platform

	lifetime context.Context // of the watches; ends in Close
	stop     context.CancelFunc
	wg       sync.WaitGroup

	mu      sync.Mutex
	watches map[executor.Ref]*watch
}

var _ interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
	executor.Closer
} = (*backend)(nil)

func newBackend(env executor.Environment, host executor.Host, set settings, p platform) *backend {
	b := &backend{env: env, host: host, settings: set, platform: p, watches: map[executor.Ref]*watch{}}
	b.lifetime, b.stop = context.WithCancel(context.Background())
	return b
}

// Create implements executor.Backend.
func (b *backend) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	h, err := b.find(w.Ref.ID)
	if err != nil {
		return executor.Status{}, err
	}
	if h != nil {
		switch have := h.record().Ref.Attempt; {
		case have == w.Ref.Attempt:
			return b.status(h, b.follow(h)), nil
		case have > w.Ref.Attempt:
			return executor.Status{}, executor.Errorf(executor.FailedPrecondition, "%s: attempt %d is known", w.Ref, have)
		}
	}
	args, err := argsOf(w.Spec)
	if err != nil {
		return executor.Status{}, err
	}
	if err := b.runnable(w.Runtime); err != nil {
		return executor.Status{}, err
	}
	if h != nil {
		if err := b.handOver(ctx, h); err != nil {
			return executor.Status{}, err
		}
	}
	if err := sleep(ctx, b.settings.config.createDelay); err != nil {
		return executor.Status{}, executor.Errorf(executor.CodeOf(err), "%s: not started: %w", w.Ref, err)
	}
	l := launch{Ref: w.Ref, Runtime: w.Runtime.Name, Stdio: w.Stdio, Args: args}
	if h, err = b.platform.start(ctx, b.env, l); err != nil {
		return executor.Status{}, err
	}
	return b.status(h, b.follow(h)), nil
}

// handOver makes room for a newer attempt.
func (b *backend) handOver(ctx context.Context, h holder) error {
	stale := h.record().Ref
	if h.exit() == nil {
		return executor.Errorf(executor.AlreadyExists, "%s still runs", stale)
	}
	watch := b.follow(h)
	select {
	case <-watch.done:
	case <-ctx.Done():
		err := context.Cause(ctx)
		return executor.Errorf(executor.CodeOf(err), "%s: handing over its exit: %w", stale, err)
	}
	if watch.err != nil {
		return executor.Errorf(executor.FailedPrecondition, "%s: the host did not take its exit: %w", stale, watch.err)
	}
	return b.forget(h)
}

// Restore implements executor.Backend.
func (b *backend) Restore(_ context.Context, ref executor.Ref, _ executor.Stdio) (executor.Status, error) {
	h, err := b.get(ref)
	if err != nil {
		return executor.Status{}, err
	}
	return b.status(h, b.follow(h)), nil
}

// List implements executor.Backend.
func (b *backend) List(context.Context) ([]executor.Status, error) {
	held, err := b.platform.held(b.env)
	if err != nil {
		return nil, err
	}
	var all []executor.Status
	for _, h := range held {
		all = append(all, b.status(h, b.watchOf(h.record().Ref)))
	}
	return all, nil
}

// Signal implements executor.Backend.
func (b *backend) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	h, err := b.get(ref)
	if err != nil {
		return err
	}
	return h.signal(ctx, sig)
}

// Delete implements executor.Backend.
func (b *backend) Delete(_ context.Context, ref executor.Ref) error {
	h, err := b.get(ref)
	switch {
	case executor.CodeOf(err) == executor.NotFound:
		return nil
	case err != nil:
		return err
	case h.exit() == nil:
		return executor.Errorf(executor.FailedPrecondition, "%s still runs", ref)
	}
	return b.forget(h)
}

// Close implements executor.Closer.
func (b *backend) Close(context.Context) error {
	b.stop()
	b.wg.Wait()
	return nil
}

// find gives the attempt of id, or nil.
func (b *backend) find(id string) (holder, error) {
	held, err := b.platform.held(b.env)
	for _, h := range held {
		if h.record().Ref.ID == id {
			return h, nil
		}
	}
	return nil, err
}

func (b *backend) get(ref executor.Ref) (holder, error) {
	h, err := b.find(ref.ID)
	if err == nil && (h == nil || h.record().Ref != ref) {
		err = executor.Errorf(executor.NotFound, "no attempt %s", ref)
	}
	return h, err
}

func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d == 0 {
		return err
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
