package transport

import (
	"context"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
)

// Client calls an executor's methods by name and type. It adds nothing to
// [Conn.Call], whose errors are its own. It is safe for concurrent use, and it
// implements every optional interface of the contract; what the backend really
// offers is in OpenReply, and the rest answers [executor.Unsupported].
type Client struct{ *Conn }

var _ interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
} = Client{}

// HostHandlers serves an executor's calls with host.
func HostHandlers(host executor.Host) Handlers {
	return Handlers{
		MethodExited: Handle(func(ctx context.Context, s executor.Status) (None, error) {
			if err := s.Validate(); err != nil {
				return None{}, err
			}
			if s.Exit == nil {
				return None{}, executor.Errorf(executor.Invalid, "%s: exited without an exit", s.Ref)
			}
			return None{}, host.Exited(ctx, s)
		}),
		MethodReleased: Handle(func(ctx context.Context, r ReleasedRequest) (None, error) {
			if err := r.Ref.Validate(); err != nil {
				return None{}, err
			}
			return None{}, host.Released(ctx, r.Ref, r.Output)
		}),
	}
}

// Hello introduces the host. Unless h names a protocol, all of [Protocols] are
// offered, the newest first, until the executor takes one.
func (c Client) Hello(ctx context.Context, h Hello) (reply HelloReply, err error) {
	offers := Protocols()
	if h.Protocol != 0 {
		offers = []int{h.Protocol}
	}
	return c.offer(ctx, h, offers)
}

// offer says hello with each of the protocols until one is taken.
func (c Client) offer(ctx context.Context, h Hello, protocols []int) (reply HelloReply, err error) {
	for _, h.Protocol = range protocols {
		reply = HelloReply{}
		if err = c.Call(ctx, MethodHello, h, &reply); executor.CodeOf(err) != executor.Unsupported {
			break
		}
	}
	if err == nil && reply.Protocol != h.Protocol {
		return reply, executor.Errorf(executor.Internal, "executor %s %s was asked for protocol %d and answers in protocol %d",
			reply.Description.Name, reply.Description.Version, h.Protocol, reply.Protocol)
	}
	return reply, err
}

// Validate checks settings without a backend.
func (c Client) Validate(ctx context.Context, s executor.Settings) (diags []executor.Diagnostic, err error) {
	err = c.Call(ctx, MethodValidate, s, &diags)
	return diags, err
}

// Open opens the backend. Opening it again with an equal environment changes
// nothing; with another one it is [executor.FailedPrecondition].
func (c Client) Open(ctx context.Context, env executor.Environment) (reply OpenReply, err error) {
	err = c.Call(ctx, MethodOpen, env, &reply)
	return reply, err
}

// Create implements executor.Backend.
func (c Client) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	return c.status(ctx, MethodCreate, w.Ref, w)
}

// Restore implements executor.Backend.
func (c Client) Restore(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	return c.status(ctx, MethodRestore, ref, RestoreRequest{ref, stdio})
}

// status calls a method that answers with the status of ref, and checks that it
// does.
func (c Client) status(ctx context.Context, method string, ref executor.Ref, in any) (status executor.Status, err error) {
	if err := c.Call(ctx, method, in, &status); err != nil {
		return status, err
	}
	if err := status.Validate(); err != nil {
		return status, badReply(method, err)
	}
	if status.Ref != ref {
		return status, badReply(method, fmt.Errorf("it is about %s, the call was about %s", status.Ref, ref))
	}
	return status, nil
}

// List implements executor.Backend.
func (c Client) List(ctx context.Context) (all []executor.Status, err error) {
	if err := c.Call(ctx, MethodList, None{}, &all); err != nil {
		return nil, err
	}
	for _, status := range all {
		if err := status.Validate(); err != nil {
			return nil, badReply(MethodList, err)
		}
	}
	return all, nil
}

// Signal implements executor.Backend.
func (c Client) Signal(ctx context.Context, ref executor.Ref, sig executor.Signal) error {
	return c.Call(ctx, MethodSignal, SignalRequest{ref, sig}, nil)
}

// Delete implements executor.Backend.
func (c Client) Delete(ctx context.Context, ref executor.Ref) error {
	return c.Call(ctx, MethodDelete, ref, nil)
}

// ResolveRuntime implements executor.RuntimeResolver.
func (c Client) ResolveRuntime(ctx context.Context, name string) (rt executor.Runtime, err error) {
	err = c.Call(ctx, MethodRuntimeResolve, name, &rt)
	return rt, err
}

// Runtimes implements executor.RuntimeLister.
func (c Client) Runtimes(ctx context.Context) (infos []executor.RuntimeInfo, err error) {
	err = c.Call(ctx, MethodRuntimeList, None{}, &infos)
	return infos, err
}

// Check implements executor.Checker.
func (c Client) Check(ctx context.Context) (diags []executor.Diagnostic, err error) {
	err = c.Call(ctx, MethodCheck, None{}, &diags)
	return diags, err
}

// CloseBackend lets the backend release what only its process needs. The
// process ends afterwards; it does not accept other calls.
func (c Client) CloseBackend(ctx context.Context) error {
	return c.Call(ctx, MethodClose, None{}, nil)
}
