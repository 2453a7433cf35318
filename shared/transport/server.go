package transport

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/rpc"
	"runtime/debug"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
	"github.com/hashicorp/go-hclog"
)

// maxCalls bounds the handlers that run at once for one direction of a
// connection. The next call is not read before one of them has ended, so a
// flood of calls stops at the sender.
const maxCalls = 256

// Handlers are the methods that a peer may call, by name.
type Handlers map[string]Handler

// Handler serves one method. The body is JSON, and so is what it returns.
type Handler func(ctx context.Context, body []byte) (any, error)

// inbound is a call being served.
type inbound struct {
	ctx    context.Context
	cancel context.CancelFunc
	spans  *trace.Collector // nil unless there is a trace
}

// calls are the calls being served on one direction of one connection.
type calls struct {
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	slots  chan struct{}

	mu     sync.Mutex
	active map[uint64]*inbound
}

// begin runs on the reading goroutine, in the order of the stream.
func (c *calls) begin(req *Request) {
	c.slots <- struct{}{}
	var ctx context.Context
	var cancel context.CancelFunc
	if req.Timeout > 0 {
		ctx, cancel = context.WithTimeout(c.ctx, time.Duration(req.Timeout))
	} else {
		ctx, cancel = context.WithCancel(c.ctx)
	}
	ctx, spans := trace.Collect(WithTraceparent(ctx, req.Traceparent), req.Traceparent)
	req.call = &inbound{ctx: ctx, cancel: cancel, spans: spans}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active[req.ID] = req.call
}

func (c *calls) end(req *Request) {
	req.call.cancel()
	c.mu.Lock()
	if c.active[req.ID] == req.call {
		delete(c.active, req.ID)
	}
	c.mu.Unlock()
	<-c.slots
}

func (c *calls) cancelCall(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call := c.active[id]; call != nil {
		call.cancel()
	}
}

func (c *calls) hangUp() { c.cancel() }

// endpoint is what net/rpc sees.
type endpoint struct {
	calls    *calls
	handlers Handlers
	logger   hclog.Logger
}

// Do serves one call.
func (e *endpoint) Do(req *Request, resp *Response) error {
	defer e.calls.end(req)
	out, err := e.run(req)
	if err == nil {
		resp.Body, err = json.Marshal(out)
	}
	if err == nil && len(resp.Body) > MaxMessage-4096 {
		err = executor.Errorf(executor.Internal, "reply to %s has %d bytes, more than a message may have", req.Method, len(resp.Body))
	}
	if err != nil {
		resp.setError(err)
	}
	if spans := req.call.spans.Encode(); len(resp.Body)+len(spans) <= MaxMessage-4096 {
		resp.Spans = spans
	}
	return nil
}

func (e *endpoint) run(req *Request) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.logger.Error("panic in handler", "method", req.Method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = executor.Errorf(executor.Internal, "panic in %s: %v", req.Method, p)
		}
	}()
	handler := e.handlers[req.Method]
	if handler == nil {
		return nil, executor.Errorf(executor.Unsupported, "unknown method %q", req.Method)
	}
	ctx, span := trace.Start(req.call.ctx, req.Method)
	span.Serves()
	defer func() { span.End(err) }()
	return handler(ctx, req.Body)
}

// Cancel cancels a call.
func (e *endpoint) Cancel(req *CancelRequest, _ *Empty) error {
	e.calls.cancelCall(req.ID)
	return nil
}

// serve answers calls on conn until it breaks, and returns when the last
// handler has ended.
func serve(conn io.ReadWriteCloser, handlers Handlers, logger hclog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	calls := &calls{ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxCalls), active: map[uint64]*inbound{}}
	server := rpc.NewServer()
	if err := server.RegisterName(rpcName, &endpoint{calls: calls, handlers: handlers, logger: logger}); err != nil {
		panic(err) // the method set above is wrong: cannot happen once the tests ran
	}
	server.ServeCodec(serverCodec{gobStream: newGobStream(conn), calls: calls})
}
