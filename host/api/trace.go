package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/davit-run/davit/shared/trace"
)

// traceHeader is the header of W3C Trace Context.
const traceHeader = "Traceparent"

// HostService is what spans of the host are said to be of.
const HostService = "davit-host"

// WithTraceparent returns a context whose requests are part of a trace: the value of the header
// traceparent of W3C Trace Context. One that is not valid, or asks for no trace, changes nothing.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return trace.Pass(ctx, traceparent)
}

// traced returns a request with the trace that its client asks for, and a function that ends its
// span.
func (s *handler) traced(r *http.Request, pattern string) (_ *http.Request, end func(status int)) {
	parent := r.Header.Get(traceHeader)
	if s.trace == nil || !trace.Wanted(parent) {
		return r, func(int) {}
	}
	ctx, span := trace.Start(trace.Begin(r.Context(), parent, HostService, s.trace), pattern)
	span.Serves()
	return r.WithContext(ctx), func(status int) {
		span.Set("http.response.status_code", strconv.Itoa(status))
		var err error
		if status >= http.StatusBadRequest {
			err = invalid("status %d", status)
		}
		span.End(err)
	}
}
