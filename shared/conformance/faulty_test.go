package conformance

import (
	"context"
	"slices"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// faulty is a memory backend with one fault: the method that a field replaces. A nil
// field forwards the call.
type faulty struct {
	complete // the memory backend
	create   func(context.Context, executor.Workload) (executor.Status, error)
	restore  func(context.Context, executor.Ref, executor.Stdio) (executor.Status, error)
	list     func(context.Context) ([]executor.Status, error)
	signal   func(context.Context, executor.Ref, executor.Signal) error
	remove   func(context.Context, executor.Ref) error
	resolve  func(context.Context, string) (executor.Runtime, error)
	runtimes func(context.Context) ([]executor.RuntimeInfo, error)
	check    func(context.Context) ([]executor.Diagnostic, error)
	close    func(context.Context) error

	host *faultyHost

	mu   sync.Mutex
	seen map[executor.Ref]bool // what Create and Restore were called for in the life of the backend
}

type complete interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
	executor.Closer
}

func (f *faulty) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	defer f.see(w.Ref)
	if f.create != nil {
		return f.create(ctx, w)
	}
	return f.complete.Create(ctx, w)
}

func (f *faulty) Restore(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	defer f.see(ref)
	if f.restore != nil {
		return f.restore(ctx, ref, stdio)
	}
	return f.complete.Restore(ctx, ref, stdio)
}

func (f *faulty) List(ctx context.Context) ([]executor.Status, error) {
	if f.list != nil {
		return f.list(ctx)
	}
	return f.complete.List(ctx)
}

func (f *faulty) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	if f.signal != nil {
		return f.signal(ctx, ref, sig)
	}
	return f.complete.Signal(ctx, ref, sig)
}

func (f *faulty) Delete(ctx context.Context, ref executor.Ref) error {
	if f.remove != nil {
		return f.remove(ctx, ref)
	}
	return f.complete.Delete(ctx, ref)
}

func (f *faulty) ResolveRuntime(ctx context.Context, name string) (executor.Runtime, error) {
	if f.resolve != nil {
		return f.resolve(ctx, name)
	}
	return f.complete.ResolveRuntime(ctx, name)
}

func (f *faulty) Runtimes(ctx context.Context) ([]executor.RuntimeInfo, error) {
	if f.runtimes != nil {
		return f.runtimes(ctx)
	}
	return f.complete.Runtimes(ctx)
}

func (f *faulty) Check(ctx context.Context) ([]executor.Diagnostic, error) {
	if f.check != nil {
		return f.check(ctx)
	}
	return f.complete.Check(ctx)
}

func (f *faulty) Close(ctx context.Context) error {
	if f.close != nil {
		return f.close(ctx)
	}
	return f.complete.Close(ctx)
}

func (f *faulty) see(ref executor.Ref) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[ref] = true
}

func (f *faulty) hasSeen(ref executor.Ref) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[ref]
}

// find returns the memory backend's status of a container.
func (f *faulty) find(ctx context.Context, id string) (executor.Status, bool) {
	all, _ := f.complete.List(ctx)
	i := slices.IndexFunc(all, func(s executor.Status) bool { return s.Ref.ID == id })
	if i < 0 {
		return executor.Status{}, false
	}
	return all[i], true
}

// faultyHost is the host that the memory backend sees.
type faultyHost struct {
	executor.Host
	exited   func(context.Context, executor.Status) error
	released func(context.Context, executor.Ref, executor.Output) error
}

func (h *faultyHost) Exited(ctx context.Context, status executor.Status) error {
	if h.exited != nil {
		exit := *status.Exit // which the fault may change
		status.Exit = &exit
		return h.exited(ctx, status)
	}
	return h.Host.Exited(ctx, status)
}

func (h *faultyHost) Released(ctx context.Context, ref executor.Ref, output executor.Output) error {
	if h.released != nil {
		return h.released(ctx, ref, output)
	}
	return h.Host.Released(ctx, ref, output)
}

// withFault returns e with a fault in each backend that it opens.
func withFault(e executor.Executor, fault func(*faulty)) executor.Executor {
	open := e.Open
	e.Open = func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
		f := &faulty{host: &faultyHost{Host: host}, seen: map[executor.Ref]bool{}}
		backend, err := open(ctx, env, f.host)
		if err != nil {
			return nil, err
		}
		f.complete = backend.(complete)
		fault(f)
		return f, nil
	}
	return e
}
