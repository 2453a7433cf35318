package transport

import (
	"context"
	"encoding/json"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Method is one method of the protocol, with all that host and kit must know of it.
// Each is a value in a file of its own, made by [define], and [Methods] lists them.
type Method[Req, Reply any] struct {
	// Name is its name on the wire.
	Name string
	// Doc says in one line what it does.
	Doc string
	// Capability is what a backend must have; empty if every backend has the method.
	Capability executor.Capability
	Lock       Lock
	// Limit is how long the peer may work on a call.
	Limit time.Duration
	// Yields makes a call give way to one that preempts it.
	Yields bool
	// Preempts reports whether a request makes it pointless to go on with calls under
	// way that yield, for the same attempt of a container or an earlier one. The kit
	// cancels them, and waits for their end. Nil means that no request does.
	Preempts func(Req) bool
	// MaxRequest and MaxReply bound the JSON values of a body, if they are set: other
	// methods have at most 1000. Requests are bounded only if an executor makes them.
	MaxRequest, MaxReply int
	// Repeat makes the kit repeat the call when the backend panicked. The method is
	// idempotent, and only its answer shows how far the first call came.
	Repeat bool
	// Ref returns the process that a request is about. Nil means none. The kit
	// validates the ref.
	Ref func(Req) executor.Ref
	// Needs returns the capabilities that a request needs besides Capability and
	// those of Ref. Nil means none.
	Needs func(Req) []executor.Capability
	// Check refuses a request that can never be served. Nil accepts all.
	Check func(Req) error
	// CheckReply refuses a reply that makes no sense. Nil accepts all.
	CheckReply func(Req, Reply) error
	// Serve calls the backend. It is nil for methods that are not about an opened
	// backend, which the kit or the host serves itself.
	Serve func(context.Context, executor.Backend, Req) (Reply, error)
}

// Caller calls an executor.
type Caller interface {
	// Call calls a method, like [Conn.Call].
	Call(ctx context.Context, method string, in, out any) error
	// Offers reports whether the backend has a capability.
	Offers(c executor.Capability) bool
}

// Call makes a call and checks its reply. It returns at the latest when ctx ends, or
// a while after the limit. Besides the errors of [Conn.Call] there are
// [executor.Unsupported], without a call, if the backend lacks a capability, and
// those that wrap [ErrBadReply] or [ErrNoAnswer], which are
// [executor.OutcomeUnknown].
func (m *Method[Req, Reply]) Call(ctx context.Context, c Caller, req Req) (reply Reply, err error) {
	if m.Serve != nil {
		for _, need := range m.Required(req) {
			if !c.Offers(need) {
				return reply, unsupported(m.Name, need)
			}
		}
	}
	limit, patience := limits(ctx, m.Limit)
	limited, cancel := context.WithTimeoutCause(withLimit(ctx, limit), patience, limitError{patience})
	defer cancel()
	var body json.RawMessage
	var out any = &body
	if _, none := any(reply).(None); none {
		out = nil
	}
	if err := c.Call(limited, m.Name, req, out); err != nil {
		return reply, err
	}
	if out != nil {
		if err := unmarshal(body, m.MaxReply, &reply); err != nil {
			var none Reply
			return none, badReply(m.Name, err)
		}
	}
	if m.CheckReply != nil {
		if err := m.CheckReply(req, reply); err != nil {
			return reply, badReply(m.Name, err)
		}
	}
	return reply, nil
}

// Handler serves the method with fn.
func (m *Method[Req, Reply]) Handler(fn func(context.Context, Req) (Reply, error)) Handler {
	return func(ctx context.Context, body []byte) (any, error) {
		req, err := m.decode(body)
		if err != nil {
			return nil, err
		}
		return fn(ctx, req)
	}
}

func (m *Method[Req, Reply]) decode(body []byte) (req Req, err error) {
	if m.MaxRequest != 0 {
		err = unmarshal(body, m.MaxRequest, &req)
	} else {
		err = json.Unmarshal(body, &req)
	}
	if err != nil {
		return req, executor.Errorf(executor.Invalid, "malformed request: %w", err)
	}
	if m.Ref != nil {
		if err := m.Ref(req).Validate(); err != nil {
			return req, err
		}
	}
	if m.Check != nil {
		err = m.Check(req)
	}
	return req, err
}

// Required returns the capabilities that a backend must have for a request.
func (m *Method[Req, Reply]) Required(req Req) []executor.Capability {
	var needs []executor.Capability
	if m.Capability != "" {
		needs = append(needs, m.Capability)
	}
	if m.Ref != nil {
		needs = append(needs, m.Ref(req).Needs()...)
	}
	if m.Needs != nil {
		needs = append(needs, m.Needs(req)...)
	}
	return needs
}

func unsupported(method string, c executor.Capability) error {
	return executor.Errorf(executor.Unsupported, "%s: the backend does not offer %s", method, c)
}

// upgrade returns a [Method.Serve] that calls the optional interface I. The kit has
// checked before that the backend offers it.
func upgrade[I, Req, Reply any](call func(context.Context, I, Req) (Reply, error)) func(context.Context, executor.Backend, Req) (Reply, error) {
	return func(ctx context.Context, b executor.Backend, req Req) (Reply, error) {
		return call(ctx, b.(I), req)
	}
}

// itself is the Ref of methods whose request is a ref.
func itself(ref executor.Ref) executor.Ref { return ref }

// None is the body of a request or reply without content.
type None struct{}
