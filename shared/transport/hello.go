package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// Hello is the first call on every connection, since connecting to a running process
// negotiates nothing by itself. It is the health check, too.
type Hello struct {
	// Protocol is what the host wants to speak on this connection.
	Protocol int `json:"protocol"`
	// Version of the host program, for logs.
	Version string `json:"version"`
	// Epoch grows with each start of the host on one state directory. A
	// connection with a greater epoch ends those with a lesser one.
	Epoch uint64 `json:"epoch"`
}

// HelloReply introduces the executor.
type HelloReply struct {
	// Protocol is the host's, which the executor speaks too.
	Protocol    int                  `json:"protocol"`
	PID         int                  `json:"pid"`
	Description executor.Description `json:"description"`
	// Opened is set if a backend is open already.
	Opened *executor.Environment `json:"opened,omitempty"`
}

// MethodHello introduces the host to the executor, and agrees on a protocol.
var MethodHello = define(Method[Hello, HelloReply]{
	Name:     "hello",
	Doc:      "introduces the host and agrees on a protocol",
	Limit:    Ask,
	MaxReply: 50_000,
})

// Hello introduces the host. Unless h names a protocol, all of [Protocols] are
// offered, the newest first, until the executor takes one.
func (c Client) Hello(ctx context.Context, h Hello) (reply HelloReply, err error) {
	offers := Protocols()
	if h.Protocol != 0 {
		offers = []int{h.Protocol}
	}
	return c.offer(ctx, h, offers)
}

// offer says hello with each of the protocols until one is accepted.
func (c Client) offer(ctx context.Context, h Hello, protocols []int) (reply HelloReply, err error) {
	for _, h.Protocol = range protocols {
		if reply, err = MethodHello.Call(ctx, c, h); executor.CodeOf(err) != executor.Unsupported {
			break
		}
	}
	if err == nil && reply.Protocol != h.Protocol {
		return reply, executor.Errorf(executor.Internal, "executor %s %s was asked for protocol %d and answers in protocol %d",
			reply.Description.Name, reply.Description.Version, h.Protocol, reply.Protocol)
	}
	return reply, err
}
