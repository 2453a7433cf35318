package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/trace"
)

// Options are the options of a handler.
type Options struct {
	// Version is returned to clients. The handler fills in HostID and PID.
	Version Version
	// Logger logs faults, and requests at debug level. Nil discards them.
	Logger Logger
	// Trace gets the spans of requests whose clients ask for a trace, with a header
	// traceparent. Nil means that nobody traces.
	Trace trace.Sink
}

// Logger logs messages with pairs of keys and values. hclog.Logger and *slog.Logger
// implement it.
type Logger interface {
	Debug(message string, pairs ...any)
	Error(message string, pairs ...any)
}

// silent is a Logger that discards everything.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Error(string, ...any) {}

// NewHandler returns a handler that serves h: a *host.Host, or any value with its methods.
// A route that needs a method which h does not have answers with
// [executor.Unsupported]; see [Unserved].
func NewHandler(h any, opts Options) http.Handler { return newHandler(h, opts) }

type handler struct {
	host    any
	version Version
	logger  Logger
	mux     *http.ServeMux
	// duplexes are the requests whose connections the server has handed over.
	duplexes sync.WaitGroup
	// bodyTime is how long a client may take to send a body.
	bodyTime time.Duration
	trace    trace.Sink
}

func newHandler(h any, opts Options) *handler {
	return newHandlerOf(h, opts, func(entry) bool { return true })
}

// newHandlerOf returns a handler that has only some of the routes.
func newHandlerOf(h any, opts Options, has func(entry) bool) *handler {
	s := &handler{host: h, version: opts.Version, logger: opts.Logger, mux: http.NewServeMux(), bodyTime: bodyTime, trace: opts.Trace}
	if s.logger == nil {
		s.logger = silent{}
	}
	for _, route := range table {
		if !has(route) {
			continue
		}
		s.mux.HandleFunc(route.pattern(), func(w http.ResponseWriter, r *http.Request) {
			if err := route.answer(s, w, r); err != nil {
				s.fail(w, r, err)
				if route.streamed() {
					drain(w, r)
				}
			}
		})
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	// It stays until the body is read, so that nobody waits for a slow one: neither the
	// route nor the server, which reads what a route has left.
	_ = http.NewResponseController(w).SetReadDeadline(start.Add(s.bodyTime)) // the recorders of tests have none
	defer func() {
		if fault := recover(); fault != nil {
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			s.logger.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			if rec.status != 0 {
				panic(http.ErrAbortHandler) // otherwise the client would take a part for the whole
			}
			s.fail(rec, r, executor.Errorf(executor.Internal, "a fault in the host: %v; its log says more", fault))
		}
		log, client := s.logOf(r)
		log("request", append([]any{"method", r.Method, "path", r.URL.Path, "status", cmp.Or(rec.status, http.StatusOK), "took", time.Since(start).String()}, client...)...)
	}()
	next, pattern := s.mux.Handler(r)
	if pattern == "" { // the mux's own answer is text
		none := &recorder{ResponseWriter: discard{w.Header()}}
		next.ServeHTTP(none, r)
		s.reply(rec, none.status, failureOf(executor.Errorf(executor.Unsupported, "this host has no route %s %s", r.Method, r.URL.Path)))
		return
	}
	r, end := s.traced(r, pattern)
	defer func() { end(cmp.Or(rec.status, http.StatusOK)) }()
	s.mux.ServeHTTP(rec, r)
}

// fail answers with an error.
func (s *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = cause(r.Context(), err)
	s.logger.Debug("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	s.reply(w, statusOf(err), failureOf(err))
}

// reply answers with a value.
func (s *handler) reply(w http.ResponseWriter, status int, v any) {
	body, err := encode(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":"internal","message":"the reply cannot be encoded"}`)
		s.logger.Error("reply cannot be encoded", "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}

// encode returns a line of JSON.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// recorder stores the status of a response.
type recorder struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController find deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// FlushError is used by http.ResponseController.
func (r *recorder) FlushError() error {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return http.NewResponseController(r.ResponseWriter).Flush()
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// discard keeps only the header of a response.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
