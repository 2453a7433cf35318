package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// direct is a link that calls the backend with nothing in between.
type direct struct {
	executor executor.Executor
	port     *port
	backend  executor.Backend
	alter    intercept
}

func (d *direct) start() error {
	d.port = &port{changed: make(chan struct{})}
	return nil
}

func (d *direct) connect(ctx context.Context, env executor.Environment, host *testHost) (transport.Caller, []executor.Capability, error) {
	if d.backend == nil {
		backend, err := d.executor.Open(ctx, env, d.port)
		if err != nil {
			return nil, nil, err
		}
		d.backend = backend
	}
	d.port.connect(host)
	return directCaller{d.backend, d.alter}, executor.Capabilities(d.backend), nil
}

func (d *direct) disconnect() { d.port.connect(nil) }

func (d *direct) close(ctx context.Context) error {
	d.disconnect()
	backend := d.backend
	d.backend = nil
	if backend == nil || !executor.Offers(backend, executor.CapClose) {
		return nil
	}
	return backend.(executor.Closer).Close(ctx)
}

func (d *direct) kill(ctx context.Context) { _ = d.close(ctx) }

func (d *direct) log() string { return "" }

// intercept changes how a call is served, in the suite's own tests. next serves it, or
// another one, as the executor does.
type intercept func(ctx context.Context, method string, body []byte, next func(method string, body []byte) (any, error)) (any, error)

// directCaller calls a backend with what the transport does for each method, and
// without the locks of the kit.
type directCaller struct {
	backend executor.Backend
	alter   intercept
}

// Offers implements transport.Caller.
func (d directCaller) Offers(c executor.Capability) bool { return executor.Offers(d.backend, c) }

// Call implements transport.Caller.
func (d directCaller) Call(ctx context.Context, method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return executor.Errorf(executor.Invalid, "%s: cannot encode the request: %w", method, err)
	}
	serve := func(method string, body []byte) (any, error) { return d.serve(ctx, method, body) }
	var reply any
	if d.alter != nil {
		reply, err = d.alter(ctx, method, body, serve)
	} else {
		reply, err = serve(method, body)
	}
	if err != nil || out == nil {
		return err
	}
	if body, err = json.Marshal(reply); err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

func (d directCaller) serve(ctx context.Context, method string, body []byte) (any, error) {
	methods := transport.BackendMethods()
	i := slices.IndexFunc(methods, func(e transport.Entry) bool { return e.Name == method })
	if i < 0 {
		return nil, executor.Errorf(executor.Unsupported, "unknown method %q", method)
	}
	in, err := methods[i].Decode(body)
	if err != nil {
		return nil, err
	}
	return in.Serve(ctx, d.backend)
}

// portRetry is the wait before a host that failed is called again.
const portRetry = 10 * time.Millisecond

// port is the Host of a directly opened backend. It keeps the promises of
// executor.Host, as the plugin kit does.
type port struct {
	mu      sync.Mutex
	host    *testHost
	changed chan struct{} // closed when host changes
}

func (p *port) connect(host *testHost) {
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
	return p.deliver(ctx, func(ctx context.Context, host *testHost) error { return host.Exited(ctx, status) })
}

// Released implements executor.Host.
func (p *port) Released(ctx context.Context, ref executor.Ref, output executor.Output) error {
	return p.deliver(ctx, func(ctx context.Context, host *testHost) error { return host.Released(ctx, ref, output) })
}

// deliver repeats a call until the host that is then connected has answered.
func (p *port) deliver(ctx context.Context, call func(context.Context, *testHost) error) error {
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
func (p *port) try(ctx context.Context, gone <-chan struct{}, host *testHost, call func(context.Context, *testHost) error) error {
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
