package plugin

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// session returns the handlers of one connection.
func (s *Server) session(conn *transport.Conn) transport.Handlers {
	h := transport.Handlers{
		transport.MethodHello.Name: transport.MethodHello.Handler(func(_ context.Context, in transport.Hello) (transport.HelloReply, error) {
			return s.hello(conn, in)
		}),
		transport.MethodValidate.Name: transport.MethodValidate.Handler(func(_ context.Context, in executor.Settings) ([]executor.Diagnostic, error) {
			if s.executor.Validate == nil {
				return nil, nil
			}
			return s.executor.Validate(in), nil
		}),
		transport.MethodOpen.Name: transport.MethodOpen.Handler(s.open),
		transport.MethodClose.Name: transport.MethodClose.Handler(func(ctx context.Context, _ transport.None) (transport.None, error) {
			return transport.None{}, s.close(ctx)
		}),
	}
	for _, method := range transport.BackendMethods() {
		h[method.Name] = func(ctx context.Context, body []byte) (any, error) {
			out, err := s.serve(ctx, conn, method, body)
			return out, executor.ExplainDisk("", err)
		}
	}
	for method, handler := range h {
		h[method] = func(ctx context.Context, body []byte) (any, error) {
			return handler(hclog.WithContext(ctx, s.logger), body)
		}
	}
	return h
}

// serve serves a call for the opened backend.
func (s *Server) serve(ctx context.Context, conn *transport.Conn, method transport.Entry, body []byte) (any, error) {
	backend, err := s.opened(conn)
	if err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if method.Capability != "" {
		if err := s.offers(backend, method.Capability); err != nil {
			return nil, err
		}
	}
	in, err := method.Decode(body)
	if err != nil {
		return nil, err
	}
	if err := s.offers(backend, in.Needs...); err != nil {
		return nil, err
	}
	ctx, leave, err := s.enter(ctx, method, in)
	if err != nil {
		// An earlier call may have done, or may yet do, what this one asks for.
		return nil, executor.Errorf(executor.OutcomeUnknown, "%s: an earlier call is still under way: %w", in.Ref, err)
	}
	defer leave()
	if !method.Repeat {
		return in.Serve(ctx, backend)
	}
	out, err, panicked := s.try(ctx, method, in, backend)
	if panicked {
		out, err = in.Serve(ctx, backend)
	}
	return out, preempted(ctx, in.Ref, err)
}

// offers returns an error that names the first capability that backend lacks.
func (s *Server) offers(backend executor.Backend, needs ...executor.Capability) error {
	for _, need := range needs {
		if !executor.Offers(backend, need) {
			return executor.Errorf(executor.Unsupported, "executor %s does not offer %s", s.executor.Name, need)
		}
	}
	return nil
}

// enter waits until a call may begin, and returns the context for it. It ends what the
// call preempts.
func (s *Server) enter(ctx context.Context, method transport.Entry, in transport.Inbound) (_ context.Context, leave func(), err error) {
	if in.Preempts {
		if err := s.yielding.preempt(ctx, in.Ref); err != nil {
			return ctx, nil, err
		}
	}
	end := func() {}
	if method.Yields {
		ctx, end = s.yielding.begin(ctx, in.Ref)
	}
	unlock, err := s.lock(ctx, method.Lock, in.Ref)
	if err != nil {
		end()
		return ctx, nil, err
	}
	return ctx, func() { unlock(); end() }, nil
}

// lock takes the keyed lock of what a call is about. The keys of containers, of their
// further processes, and of processes are distinct, since ids have no slash.
func (s *Server) lock(ctx context.Context, class transport.Lock, ref executor.Ref) (unlock func(), err error) {
	switch class {
	case transport.LockContainer:
		if ref.Exec != "" {
			return s.ids.Lock(ctx, ref.ID+"//"+ref.Exec)
		}
		return s.ids.Lock(ctx, ref.ID)
	case transport.LockProcess:
		return s.ids.Lock(ctx, ref.String())
	default:
		return func() {}, nil
	}
}

// try serves a call, and returns an error if it panics.
func (s *Server) try(ctx context.Context, method transport.Entry, in transport.Inbound, backend executor.Backend) (out any, err error, panicked bool) {
	defer func() {
		if p := recover(); p != nil {
			s.logger.Error("panic; the call is repeated", "method", method.Name, "ref", in.Ref.String(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			panicked = true
		}
	}()
	out, err = in.Serve(ctx, backend)
	return out, err, false
}
