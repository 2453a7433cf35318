// Package trace follows a request through the processes that serve it: the command line, the
// host, and an executor down to its shim. What each does is a [Span]; together they are a
// trace, as OpenTelemetry and W3C Trace Context have it.
//
// A trace is made on demand. Where nobody has asked for one, [Start] looks for a value in the
// context, and that is all it costs.
//
//	ctx, span := trace.Start(ctx, "shim.create")
//	defer func() { span.End(err) }()
//
// # Rationale
//
// Why not the SDK of OpenTelemetry? This package is part of every executor, also those of third
// parties, and of the light client; it has no dependencies. Spans of an executor go back to the
// host with the reply to its call, see [Collector], so that an executor needs to know no
// collector, and cannot be made to wait for one. The host, which has all of them, exports.
package trace

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"time"
)

// Kind is the part that a process has in what a span is about. The numbers are OTLP's.
type Kind int

const (
	Internal Kind = 1
	Server   Kind = 2
	Client   Kind = 3
)

// Span is something that was done for a request, and has ended.
type Span struct {
	// Trace is the id of the trace, 32 digits in hex.
	Trace string `json:"-"`
	// ID and Parent are ids of spans, 16 digits in hex. Parent is empty for the first.
	ID     string `json:"id"`
	Parent string `json:"parent,omitempty"`
	// Service is the program that did it.
	Service    string            `json:"-"`
	Name       string            `json:"name"`
	Kind       Kind              `json:"kind"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// Error is why it failed, or empty.
	Error string `json:"error,omitempty"`
}

// Sink takes spans that have ended. It is called by many goroutines, and returns at once.
type Sink func(Span)

// state is what a context has of a trace.
type state struct {
	sink    Sink // nil only passes the trace on
	service string
	peer    string // who is called; see StartCall
	trace   string
	span    string // the present one, empty before the first
}

type key struct{}

func of(ctx context.Context) *state {
	s, _ := ctx.Value(key{}).(*state)
	return s
}

// Begin returns a context with a trace whose spans sink gets, as those of service. With a
// traceparent, which is the header of W3C Trace Context, it is that trace, and otherwise a new
// one.
func Begin(ctx context.Context, traceparent, service string, sink Sink) context.Context {
	s := &state{sink: sink, service: service}
	var ok bool
	if s.trace, s.span, _, ok = parse(traceparent); !ok {
		s.trace, s.span = newID(16), ""
	}
	return context.WithValue(ctx, key{}, s)
}

// Pass returns a context with a trace to which nothing is added here: it is only passed on.
// Without a valid traceparent that asks for a trace it returns ctx.
func Pass(ctx context.Context, traceparent string) context.Context {
	if id, span, sampled, _ := parse(traceparent); sampled {
		return context.WithValue(ctx, key{}, &state{trace: id, span: span})
	}
	return ctx
}

// Wanted reports whether a traceparent is valid and asks for a trace: whether it is sampled.
func Wanted(traceparent string) bool {
	_, _, sampled, _ := parse(traceparent)
	return sampled
}

// Declined reports whether a traceparent is valid and asks for no trace.
func Declined(traceparent string) bool {
	_, _, sampled, ok := parse(traceparent)
	return ok && !sampled
}

// Traceparent returns the header that continues the trace of ctx elsewhere, or "".
func Traceparent(ctx context.Context) string {
	if s := of(ctx); s != nil && s.span != "" {
		return "00-" + s.trace + "-" + s.span + "-01"
	}
	return ""
}

// Active is a span that has not ended. All methods of a nil Active do nothing.
type Active struct {
	sink Sink
	span Span
}

// Start begins a span of the trace of ctx, and returns a context for what is done within. The
// Active is nil if ctx has no trace, or one that is only passed on.
func Start(ctx context.Context, name string) (context.Context, *Active) {
	s := of(ctx)
	if s == nil || s.sink == nil {
		return ctx, nil
	}
	a := &Active{sink: s.sink, span: Span{
		Trace: s.trace, ID: newID(8), Parent: s.span, Service: s.service, Name: name, Kind: Internal, Start: time.Now(),
	}}
	within := *s
	within.span = a.span.ID
	return context.WithValue(ctx, key{}, &within), a
}

// StartCall is [Start] for a call of another program, by whose name the spans go that come back
// with its reply.
func StartCall(ctx context.Context, name, peer string) (context.Context, *Active) {
	ctx, a := Start(ctx, name)
	if a != nil {
		a.span.Kind = Client
		of(ctx).peer = peer // nobody else has it yet
	}
	return ctx, a
}

// Serves says that the span is about serving another program.
func (a *Active) Serves() {
	if a != nil {
		a.span.Kind = Server
	}
}

// Set sets an attribute, unless value is empty. It must not be called after End.
func (a *Active) Set(name, value string) {
	if a == nil || value == "" {
		return
	}
	if a.span.Attributes == nil {
		a.span.Attributes = map[string]string{}
	}
	a.span.Attributes[name] = value
}

// End ends the span, and says what came of it. It is called once.
func (a *Active) End(err error) {
	if a == nil {
		return
	}
	a.span.End = time.Now()
	if err != nil {
		a.span.Error = err.Error()
	}
	a.sink(a.span)
}

// parse reads a traceparent. ok means that it is valid.
func parse(traceparent string) (trace, span string, sampled, ok bool) {
	const form = "00-00000000000000000000000000000000-0000000000000000-00"
	if len(traceparent) < len(form) || len(traceparent) > len(form) && (traceparent[:2] == "00" || traceparent[len(form)] != '-') {
		return "", "", false, false
	}
	parts := strings.Split(traceparent[:len(form)], "-")
	if len(parts) != 4 || parts[0] == "ff" || !isHex(parts[0], 2) || !isID(parts[1], 32) || !isID(parts[2], 16) || !isHex(parts[3], 2) {
		return "", "", false, false
	}
	flags, _ := hex.DecodeString(parts[3])
	return parts[1], parts[2], flags[0]&1 != 0, true
}

// isHex reports whether a text has some number of digits, which are in lower case.
func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}

// isID reports whether a text is an id, which is not 0.
func isID(text string, digits int) bool {
	return isHex(text, digits) && strings.Trim(text, "0") != ""
}

func newID(bytes int) string {
	id := make([]byte, bytes)
	_, _ = rand.Read(id) // never fails
	id[0] |= 1           // is not 0
	return hex.EncodeToString(id)
}
