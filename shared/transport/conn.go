package transport

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/rpc"
	"sync"
	"sync/atomic"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
	"github.com/hashicorp/go-hclog"
)

const (
	rpcName      = "Davit"
	methodDo     = rpcName + ".Do"
	methodCancel = rpcName + ".Cancel"
)

// Conn calls the peer, and serves the peer's calls. It is safe for concurrent
// use. A Conn that broke stays broken.
type Conn struct {
	client *rpc.Client
	nextID atomic.Uint64
	hangUp func()
	done   chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
}

// newConn returns a Conn on two streams: out for calls that we make, in for calls
// that we serve. hangUp closes what lies below both. The handlers may use the Conn
// that is passed to the function handlers.
func newConn(out, in io.ReadWriteCloser, handlers func(*Conn) Handlers, logger hclog.Logger, hangUp func()) *Conn {
	c := &Conn{
		client: rpc.NewClientWithCodec(clientCodec{newGobStream(out)}),
		hangUp: hangUp,
		done:   make(chan struct{}),
	}
	table := handlers(c)
	c.wg.Go(func() {
		serve(in, table, logger)
		c.shut()
	})
	return c
}

// shut ends the connection without waiting.
func (c *Conn) shut() {
	c.once.Do(func() {
		close(c.done)
		_ = c.client.Close()
		c.hangUp()
	})
}

// Done is closed when the connection has ended, by either side.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection and waits until the handlers of the peer's calls,
// whose contexts it cancels, have returned. It does not end the peer's process.
func (c *Conn) Close() error {
	c.shut()
	c.wg.Wait()
	return nil
}

// ErrBadReply is wrapped by errors of calls whose reply makes no sense: it has
// another form, or is about something else. They are [executor.OutcomeUnknown]. A
// peer that keeps sending such replies is broken, even if its connection is not.
var ErrBadReply = errors.New("the executor's reply makes no sense")

// badReply is the error of a call that wraps [ErrBadReply].
func badReply(method string, err error) error {
	return executor.Errorf(executor.OutcomeUnknown, "%s: %w: %w", method, ErrBadReply, err)
}

// Call calls a method of the peer and decodes its result into out, which may be nil.
// When ctx ends it returns, whatever the peer does, and asks the peer to cancel.
//
// Errors: [executor.Unavailable] if the call never left, so that repeating it
// is safe; [executor.OutcomeUnknown] if it was sent and no answer came (the
// context's error is wrapped too, if that is why); else the peer's own.
func (c *Conn) Call(ctx context.Context, method string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return executor.Errorf(executor.Invalid, "%s: cannot encode the request: %w", method, err)
	}
	if len(body) > MaxMessage-4096 {
		return executor.Errorf(executor.Invalid, "%s: request has %d bytes, more than a message may have (%d)", method, len(body), MaxMessage-4096)
	}
	if err := ctx.Err(); err != nil {
		return executor.Errorf(executor.CodeOf(err), "%s: not sent: %w", method, err)
	}
	req := &Request{ID: c.nextID.Add(1), Timeout: timeoutOf(ctx), Method: method, Traceparent: Traceparent(ctx), Body: body}
	resp := &Response{}
	reply := make(chan *rpc.Call, 1)
	written := make(chan struct{})
	// Writing blocks while the peer does not read, so Call must not wait for it.
	go func() {
		c.client.Go(methodDo, req, resp, reply)
		close(written)
	}()
	select {
	case call := <-reply:
		<-written
		if call.Error != nil {
			return c.broken(req, call.Error)
		}
	case <-ctx.Done():
		go func() {
			<-written
			c.client.Go(methodCancel, &CancelRequest{ID: req.ID}, &Empty{}, make(chan *rpc.Call, 1))
		}()
		return executor.Errorf(executor.OutcomeUnknown, "%s: no answer: %w", method, context.Cause(ctx))
	}
	trace.Merge(ctx, resp.Spans)
	if err := resp.err(); err != nil {
		return err
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(resp.Body, out); err != nil {
		return badReply(method, err)
	}
	return nil
}

func (c *Conn) broken(req *Request, err error) error {
	defer c.shut()
	if errors.Is(err, rpc.ErrShutdown) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("connection closed")
	}
	if !req.sent {
		return executor.Errorf(executor.Unavailable, "%s: not sent: %w", req.Method, err)
	}
	return executor.Errorf(executor.OutcomeUnknown, "%s: no answer: %w", req.Method, err)
}
