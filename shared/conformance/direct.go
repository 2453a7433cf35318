package conformance

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// direct is a link without anything in between.
type direct struct {
	executor executor.Executor
	port     *port
	backend  executor.Backend
}

func (d *direct) start() error {
	d.port = &port{changed: make(chan struct{})}
	return nil
}

func (d *direct) connect(ctx context.Context, env executor.Environment, host *recorder) (executor.Backend, []executor.Capability, error) {
	if d.backend == nil {
		backend, err := d.executor.Open(ctx, env, d.port)
		if err != nil {
			return nil, nil, err
		}
		d.backend = backend
	}
	d.port.attach(host)
	return d.backend, executor.Capabilities(d.backend), nil
}

func (d *direct) disconnect() { d.port.attach(nil) }

func (d *direct) close(ctx context.Context) error {
	d.disconnect()
	backend := d.backend
	d.backend = nil
	if c, ok := backend.(executor.Closer); ok {
		return c.Close(ctx)
	}
	return nil
}

func (d *direct) kill(ctx context.Context) { _ = d.close(ctx) }

func (d *direct) log() string { return "" }

// portRetry is the wait before a host that failed is asked again.
const portRetry = 10 * time.Millisecond

// port is what a directly opened backend has for a host. It keeps the promises
// of executor.Host, as the plugin kit does.
type port struct {
	mu      sync.Mutex
	host    *recorder
	changed chan struct{} // closed when host changes
}

func (p *port) attach(host *recorder) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host = host
	close(p.changed)
	p.changed = make(chan struct{})
}

// Exited implements executor.Host.
func (p *port) Exited(ctx context.Context, status executor.Status) error {
	if err := status.Validate(); err != nil {
		return err
	}
	if status.Exit == nil {
		return executor.Errorf(executor.Invalid, "%s: exited without an exit", status.Ref)
	}
	return p.deliver(ctx, func(ctx context.Context, host *recorder) error { return host.Exited(ctx, status) })
}

// Released implements executor.Host.
func (p *port) Released(ctx context.Context, ref executor.Ref, output executor.Output) error {
	return p.deliver(ctx, func(ctx context.Context, host *recorder) error { return host.Released(ctx, ref, output) })
}

// deliver repeats a call until the host that is then attached has answered.
func (p *port) deliver(ctx context.Context, call func(context.Context, *recorder) error) error {
	for {
		p.mu.Lock()
		host, changed := p.host, p.changed
		p.mu.Unlock()
		var retry <-chan time.Time
		if host != nil {
			err := p.try(ctx, changed, host, call)
			switch executor.CodeOf(err) {
			case "", executor.NotFound, executor.Invalid, executor.Unsupported:
				return err
			}
			retry = time.After(portRetry)
		}
		select {
		case <-changed:
		case <-retry:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// try calls host until it has answered or is gone.
func (p *port) try(ctx context.Context, gone <-chan struct{}, host *recorder, call func(context.Context, *recorder) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-gone:
			cancel()
		case <-answered:
		}
	}()
	return call(ctx, host)
}
