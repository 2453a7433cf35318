package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Options are what the program decides that serves a host.
type Options struct {
	// Version is told to clients. HostID and PID are filled in.
	Version Version
	// Logger gets requests at debug level, and faults. Nil discards them.
	Logger hclog.Logger
}

// hosting is what the API needs of a host.
type hosting interface {
	ID() string
	Create(context.Context, host.ContainerOptions) (host.Container, error)
	RunAttached(context.Context, host.ContainerOptions, host.Attachment) (*host.End, error)
	Attach(ctx context.Context, reference string, opts host.LogOptions, sink host.Sink) (*host.End, error)
	Inspect(reference string) (host.Container, error)
	List() ([]host.Container, error)
	WaitAttempt(ctx context.Context, reference string, attempt int) (*host.End, error)
	Start(ctx context.Context, reference string) (host.Container, error)
	Kill(ctx context.Context, reference string, sig executor.Signal) error
	Stop(ctx context.Context, reference string, timeout time.Duration) error
	Remove(ctx context.Context, reference string, force bool) error
	Logs(ctx context.Context, reference string, opts host.LogOptions, sink host.Sink) error
	Backends() ([]host.BackendInfo, error)
	Runtimes(ctx context.Context, backend string) ([]executor.RuntimeInfo, error)
	Check(ctx context.Context, backend string) (config.Diagnostics, error)
	RestartBackend(ctx context.Context, backend string) error
	Events(ctx context.Context, after uint64) iter.Seq2[host.Event, error]
	EventCursors() (oldest, newest uint64, err error)
}

var _ hosting = (*host.Host)(nil)

// NewHandler serves h. See the package's doc for the routes.
func NewHandler(h *host.Host, opts Options) http.Handler { return newHandler(h, opts) }

type handler struct {
	host    hosting
	version Version
	logger  hclog.Logger
	mux     *http.ServeMux
}

func newHandler(h hosting, opts Options) *handler {
	s := &handler{host: h, version: opts.Version, logger: opts.Logger, mux: http.NewServeMux()}
	if s.logger == nil {
		s.logger = hclog.NewNullLogger()
	}
	for pattern, fn := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /v1/version":                  s.getVersion,
		"GET /v1/containers":               s.list,
		"POST /v1/containers":              s.create,
		"GET /v1/containers/{ref}":         s.inspect,
		"DELETE /v1/containers/{ref}":      s.remove,
		"POST /v1/containers/{ref}/start":  s.start,
		"POST /v1/containers/{ref}/kill":   s.kill,
		"POST /v1/containers/{ref}/stop":   s.stop,
		"GET /v1/containers/{ref}/wait":    s.wait,
		"GET /v1/containers/{ref}/logs":    s.logs,
		"GET /v1/containers/{ref}/attach":  s.attach,
		"GET /v1/backends":                 s.backends,
		"GET /v1/backends/{name}/runtimes": s.runtimes,
		"GET /v1/backends/{name}/check":    s.check,
		"POST /v1/backends/{name}/restart": s.restartBackend,
		"GET /v1/events":                   s.events,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := fn(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return s
}

// ServeHTTP implements http.Handler.
func (s *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	rec := &recorder{ResponseWriter: w}
	defer func() {
		if fault := recover(); fault != nil {
			if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(fault)
			}
			s.logger.Error("request panicked", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
			if rec.status != 0 {
				panic(http.ErrAbortHandler) // or the client would take what it has for all
			}
			s.fail(rec, r, executor.Errorf(executor.Internal, "a fault in the host: %v; its log says more", fault))
		}
		s.logger.Debug("request", "method", r.Method, "path", r.URL.Path, "status", cmp.Or(rec.status, http.StatusOK), "took", time.Since(start).String())
	}()
	next, pattern := s.mux.Handler(r)
	if pattern == "" { // the mux's own answer is text
		none := &recorder{ResponseWriter: discard{w.Header()}}
		next.ServeHTTP(none, r)
		s.reply(rec, none.status, failureOf(executor.Errorf(executor.Unsupported, "this host has no route %s %s", r.Method, r.URL.Path)))
		return
	}
	s.mux.ServeHTTP(rec, r)
}

// fail answers with an error.
func (s *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	err = cause(r.Context(), err)
	s.logger.Debug("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	s.reply(w, statusOf(err), failureOf(err))
}

// reply answers with a value, or without one if it is nil.
func (s *handler) reply(w http.ResponseWriter, status int, v any) {
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
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

// answer gives the value of a call, unless that failed.
func (s *handler) answer(w http.ResponseWriter, v any, err error) error {
	if err == nil {
		s.reply(w, http.StatusOK, v)
	}
	return err
}

// encode gives a line of JSON.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController find deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// FlushError is for http.ResponseController, too.
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
