package trace

import (
	"context"
	"encoding/json"
	"sync"
)

// Bounds of what one reply may bring.
const (
	maxSpans = 128
	maxBytes = 64 << 10
	maxText  = 512 // of a name, an error and an attribute
	maxAttrs = 16
)

// Collector has the spans of a call that is being served, for the reply.
type Collector struct {
	mu    sync.Mutex
	spans []Span
}

// Collect returns a context with the trace of a call, and the collector of its spans. The
// collector is nil, and ctx is returned, without a traceparent that asks for a trace.
func Collect(ctx context.Context, traceparent string) (context.Context, *Collector) {
	if !Wanted(traceparent) {
		return ctx, nil
	}
	c := &Collector{}
	return Begin(ctx, traceparent, "", c.add), c
}

func (c *Collector) add(s Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans) < maxSpans {
		c.spans = append(c.spans, s)
	}
}

// Encode returns the spans that have ended, for [Merge] on the other side. A nil Collector has
// none. What goes on in the background after the reply is not part of it.
func (c *Collector) Encode() []byte {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.spans {
		c.spans[i].Error = cut(c.spans[i].Error)
	}
	body, err := json.Marshal(c.spans)
	if err != nil || len(body) > maxBytes {
		return nil
	}
	return body
}

// Merge adds the spans that came with a reply to the trace of ctx, in which the call was a
// [StartCall]. The peer is not trusted: its spans become part of this trace alone, below the
// call, and of a bounded size. What is malformed is left out.
func Merge(ctx context.Context, body []byte) {
	s := of(ctx)
	if s == nil || s.sink == nil || len(body) == 0 || len(body) > maxBytes {
		return
	}
	var spans []Span
	if json.Unmarshal(body, &spans) != nil || len(spans) > maxSpans {
		return
	}
	known := map[string]bool{s.span: true}
	for _, span := range spans {
		known[span.ID] = true
	}
	for _, span := range spans {
		if !isID(span.ID, 16) || span.ID == s.span || span.Name == "" || span.Start.IsZero() || span.End.Before(span.Start) || len(span.Attributes) > maxAttrs {
			continue
		}
		if !known[span.Parent] || span.Parent == span.ID {
			span.Parent = s.span
		}
		if span.Kind != Server && span.Kind != Client {
			span.Kind = Internal
		}
		attributes := map[string]string{}
		for name, value := range span.Attributes {
			attributes[cut(name)] = cut(value)
		}
		span.Trace, span.Service = s.trace, s.peer
		span.Name, span.Error, span.Attributes = cut(span.Name), cut(span.Error), attributes
		s.sink(span)
	}
}

// cut bounds a text.
func cut(text string) string {
	if len(text) > maxText {
		return text[:maxText] + "…"
	}
	return text
}
