package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
)

// Request and Response are all that gob ever sees. Fields may be added, since gob
// ignores what it does not know; they may never be renamed or retyped. testdata has
// their bytes.
type Request struct {
	// ID is unique among the calls of one direction of a connection.
	ID uint64
	// Timeout is what was left of the caller's deadline when the call was sent,
	// in nanoseconds; 0 means none. It is relative, so clocks need not agree.
	Timeout int64
	Method  string
	// Traceparent is the W3C trace context header, or empty.
	Traceparent string
	Body        []byte

	call *inbound // set while reading, on the serving side
	sent bool     // set while writing, on the calling side
}

// Response answers a Request. Code is empty when the call succeeded.
type Response struct {
	Code    string
	Message string
	Body    []byte
	// Spans are what was done for a call whose Traceparent asks for a trace; see
	// [trace.Collector]. Peers of earlier releases neither send nor read them.
	Spans []byte
}

// CancelRequest asks to cancel a call. It has no effect on a call that has ended.
type CancelRequest struct {
	ID uint64
}

// Empty is an empty reply.
type Empty struct{}

func (r *Response) setError(err error) {
	r.Code = string(executor.CodeOf(err))
	r.Message = err.Error()
	r.Body = nil
}

// maxErrorMessage is how much of a peer's error message is kept, in bytes.
const maxErrorMessage = 16 << 10

func (r *Response) err() error {
	if r.Code == "" {
		return nil
	}
	msg := r.Message
	if len(msg) > maxErrorMessage {
		msg = msg[:maxErrorMessage] + "…"
	}
	return &executor.Error{Code: executor.Code(r.Code), Message: msg}
}

type traceparentKey struct{}

// WithTraceparent returns a context whose calls carry a W3C traceparent header, unless the
// context has a trace of package trace.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return context.WithValue(ctx, traceparentKey{}, traceparent)
}

// Traceparent returns the header that continues the trace of ctx: what WithTraceparent put
// into it, or what came with the call that ctx belongs to, or the present span.
func Traceparent(ctx context.Context) string {
	if present := trace.Traceparent(ctx); present != "" {
		return present
	}
	s, _ := ctx.Value(traceparentKey{}).(string)
	return s
}
