package plugin

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// session gives the handlers of one connection.
func (s *Server) session(conn *transport.Conn) transport.Handlers {
	h := transport.Handlers{
		transport.MethodHello: transport.Handle(func(_ context.Context, in transport.Hello) (transport.HelloReply, error) {
			return s.hello(conn, in)
		}),
		transport.MethodValidate: transport.Handle(func(_ context.Context, in executor.Settings) ([]executor.Diagnostic, error) {
			if s.executor.Validate == nil {
				return nil, nil
			}
			return s.executor.Validate(in), nil
		}),
		transport.MethodOpen: transport.Handle(s.open),
		transport.MethodClose: transport.Handle(func(ctx context.Context, _ transport.None) (transport.None, error) {
			return transport.None{}, s.close(ctx)
		}),
		transport.MethodCreate: call(s, conn, func(ctx context.Context, b executor.Backend, w executor.Workload) (executor.Status, error) {
			if err := checkWorkload(w); err != nil {
				return executor.Status{}, err
			}
			return locked(ctx, s, w.Ref, func() (executor.Status, error) { return s.create(ctx, b, w) })
		}),
		transport.MethodRestore: call(s, conn, func(ctx context.Context, b executor.Backend, r transport.RestoreRequest) (executor.Status, error) {
			if err := checkStdio(r.Stdio); err != nil {
				return executor.Status{}, err
			}
			return locked(ctx, s, r.Ref, func() (executor.Status, error) {
				st, err := b.Restore(ctx, r.Ref, r.Stdio)
				_ = failpoint.Hit("kit.restore.done")
				return st, err
			})
		}),
		transport.MethodList: call(s, conn, func(ctx context.Context, b executor.Backend, _ transport.None) ([]executor.Status, error) {
			all, err := b.List(ctx)
			_ = failpoint.Hit("kit.list.done")
			return all, err
		}),
		transport.MethodSignal: call(s, conn, func(ctx context.Context, b executor.Backend, r transport.SignalRequest) (transport.None, error) {
			if r.Signal < 1 || r.Signal > 64 {
				return transport.None{}, executor.Errorf(executor.Invalid, "signal %d is not within 1 to 64", r.Signal)
			}
			return locked(ctx, s, r.Ref, func() (transport.None, error) {
				err := b.Signal(ctx, r.Ref, r.Signal)
				_ = failpoint.Hit("kit.signal.done")
				return transport.None{}, err
			})
		}),
		transport.MethodDelete: call(s, conn, func(ctx context.Context, b executor.Backend, ref executor.Ref) (transport.None, error) {
			return locked(ctx, s, ref, func() (transport.None, error) {
				err := b.Delete(ctx, ref)
				failpoint.Leave(ref.ID)
				_ = failpoint.Hit("kit.delete.done")
				return transport.None{}, err
			})
		}),
		transport.MethodRuntimeResolve: call(s, conn, func(ctx context.Context, b executor.Backend, name string) (executor.Runtime, error) {
			r, ok := b.(executor.RuntimeResolver)
			if !ok {
				return executor.Runtime{}, unsupported(s, executor.CapRuntimeResolve)
			}
			return r.ResolveRuntime(ctx, name)
		}),
		transport.MethodRuntimeList: call(s, conn, func(ctx context.Context, b executor.Backend, _ transport.None) ([]executor.RuntimeInfo, error) {
			l, ok := b.(executor.RuntimeLister)
			if !ok {
				return nil, unsupported(s, executor.CapRuntimeList)
			}
			return l.Runtimes(ctx)
		}),
		transport.MethodCheck: call(s, conn, func(ctx context.Context, b executor.Backend, _ transport.None) ([]executor.Diagnostic, error) {
			c, ok := b.(executor.Checker)
			if !ok {
				return nil, unsupported(s, executor.CapCheck)
			}
			return c.Check(ctx)
		}),
	}
	for method, handler := range h {
		h[method] = func(ctx context.Context, body []byte) (any, error) {
			return handler(hclog.WithContext(ctx, s.logger), body)
		}
	}
	return h
}

// call makes a handler of a function that needs the opened backend.
func call[In, Out any](s *Server, conn *transport.Conn, fn func(context.Context, executor.Backend, In) (Out, error)) transport.Handler {
	return transport.Handle(func(ctx context.Context, in In) (Out, error) {
		backend, err := s.opened(conn)
		if err != nil {
			var zero Out
			return zero, err
		}
		defer s.calls.Done()
		out, err := fn(ctx, backend, in)
		return out, executor.ExplainDisk("", err)
	})
}

// locked runs fn while no other call for the same id runs.
func locked[Out any](ctx context.Context, s *Server, ref executor.Ref, fn func() (Out, error)) (out Out, err error) {
	if err := ref.Validate(); err != nil {
		return out, err
	}
	unlock, err := s.ids.lock(ctx, ref.ID)
	if err != nil {
		return out, executor.Errorf(executor.CodeOf(err), "%s: waiting for an earlier call for this container: %w", ref, err)
	}
	defer unlock()
	return fn()
}

// create creates a workload. After a panic it asks once more: Create is idempotent,
// so that finds out how far the first one came, and nothing runs that nobody knows.
func (s *Server) create(ctx context.Context, b executor.Backend, w executor.Workload) (st executor.Status, err error) {
	panicked := func() (panicked bool) {
		defer func() {
			if p := recover(); p != nil {
				s.logger.Error("panic in create, which is asked once more", "ref", w.Ref.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				panicked = true
			}
		}()
		st, err = b.Create(ctx, w)
		_ = failpoint.Hit("kit.create.done")
		return false
	}()
	if panicked {
		return b.Create(ctx, w)
	}
	return st, err
}

func checkWorkload(w executor.Workload) error {
	if len(w.Spec) > executor.MaxSpecSize {
		return executor.Errorf(executor.Invalid, "%s: spec has %d bytes, at most %d are allowed", w.Ref, len(w.Spec), executor.MaxSpecSize)
	}
	if spec := bytes.TrimSpace(w.Spec); len(spec) == 0 || spec[0] != '{' {
		return executor.Errorf(executor.Invalid, "%s: spec is not a JSON object", w.Ref)
	}
	return checkStdio(w.Stdio)
}

func checkStdio(stdio executor.Stdio) error {
	for _, s := range []executor.Stream{stdio.Stdin, stdio.Stdout, stdio.Stderr} {
		switch s.Kind {
		case executor.StreamNull:
			if s.Path != "" {
				return executor.Errorf(executor.Invalid, "stream %q has a path but no kind", s.Path)
			}
		case executor.StreamFile, executor.StreamFIFO:
			if !filepath.IsAbs(s.Path) {
				return executor.Errorf(executor.Invalid, "stream path %q is not absolute", s.Path)
			}
		default:
			return executor.Errorf(executor.Unsupported, "unknown stream kind %q", s.Kind)
		}
	}
	return nil
}

func unsupported(s *Server, c executor.Capability) error {
	return executor.Errorf(executor.Unsupported, "executor %s does not offer %s", s.executor.Name, c)
}
