package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"sync"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// refOf returns the ref in the body of a request.
func refOf(method string, body []byte) (ref executor.Ref) {
	var nested struct{ Ref executor.Ref }
	switch method {
	case transport.MethodDelete.Name, transport.MethodCloseInput.Name:
		_ = json.Unmarshal(body, &ref)
		return ref
	}
	_ = json.Unmarshal(body, &nested)
	return nested.Ref
}

// recoded replaces a code of the errors of a method for further processes.
func recoded(of string, from, to executor.Code) intercept {
	return func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
		reply, err := next(method, body)
		if method == of && refOf(method, body).Exec != "" {
			err = errorAs(err, from, to)
		}
		return reply, err
	}
}

var create = transport.MethodCreate.Name

var _ = breaks(
	broken{name: "lists no further processes", fails: []string{"exec", "exec-restart", "exec-ends", "exec-killed", "stdin", "terminal-input"},
		call: func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
			reply, err := next(method, body)
			if all, ok := reply.([]executor.Status); ok {
				reply = slices.DeleteFunc(all, func(s executor.Status) bool { return s.Ref.Exec != "" })
			}
			return reply, err
		}},
	broken{name: "starts further processes again", fails: []string{"exec-again", "exec-restart"},
		call: func() intercept {
			var started sync.Map // of refs
			return func(_ context.Context, method string, body []byte, next func(string, []byte) (any, error)) (any, error) {
				var w executor.Workload
				_ = json.Unmarshal(body, &w)
				if method != create || w.Ref.Exec == "" {
					return next(method, body)
				}
				ref := w.Ref
				if _, again := started.Load(ref); again {
					w.Ref.Exec += "-again"
					body, _ = json.Marshal(w)
				}
				reply, err := next(method, body)
				if status, ok := reply.(executor.Status); ok && err == nil {
					started.Store(ref, true)
					status.Ref = ref
					reply = status
				}
				return reply, err
			}
		}()},
	broken{name: "returns no code for a missing command of a further process", fails: []string{"exec-command"},
		call: recoded(create, executor.CommandNotFound, executor.Internal)},
	broken{name: "has the wrong code for attempts that take no further process", fails: []string{"exec-attempt", "exec-paused"},
		call: recoded(create, executor.FailedPrecondition, executor.Internal)},
	broken{name: "deletes further processes that run", fails: []string{"exec-removed"},
		call: recoded(transport.MethodDelete.Name, executor.FailedPrecondition, "")},
	broken{name: "says that output of further processes is cut", fails: []string{"exec", "exec-fifo", "exec-fifo-held"},
		program: func(e *executor.Executor) {
			open := e.Open
			e.Open = func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
				return open(ctx, env, cutting{host})
			}
		}},
)

// cutting is a host to which the output of further processes is truncated.
type cutting struct{ executor.Host }

func (c cutting) Released(ctx context.Context, ref executor.Ref, output executor.Output) error {
	if ref.Exec != "" {
		output = executor.Truncated
	}
	return c.Host.Released(ctx, ref, output)
}
