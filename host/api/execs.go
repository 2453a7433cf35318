package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// identify chooses an id, so that the request can be repeated.
func (o *ExecOptions) identify() {
	if o.ID == "" {
		o.ID = strings.ToLower(rand.Text())
	}
}

func consoleBox(size executor.TerminalSize) *specs.Box {
	return &specs.Box{Width: uint(size.Width), Height: uint(size.Height)}
}

// execRefRequest is a request with the reference of an exec and nothing else.
type execRefRequest struct {
	Ref string `path:"ref" json:"-"`
	// Exec is the id of an exec, or the beginning of one.
	Exec string `path:"exec" json:"-"`
}

type execLister interface {
	Execs(reference string) ([]Exec, error)
}

var execsRoute = define(route[execLister, refRequest, []Exec]{
	Name:   "Execs",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/execs",
	Doc:    "lists the further processes of a container, with the last of those that have ended",
	Serve:  func(_ context.Context, h execLister, r *refRequest) ([]Exec, error) { return h.Execs(r.Ref) },
})

// Execs lists the further processes of a container, oldest first.
func (c *Client) Execs(ctx context.Context, reference string) ([]Exec, error) {
	return execsRoute.call(ctx, c, refRequest{reference})
}

type execInspector interface {
	InspectExec(reference, exec string) (Exec, error)
}

var inspectExecRoute = define(route[execInspector, execRefRequest, Exec]{
	Name:   "InspectExec",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/execs/{exec}",
	Doc:    "describes a further process of a container",
	Serve: func(_ context.Context, h execInspector, r *execRefRequest) (Exec, error) {
		return h.InspectExec(r.Ref, r.Exec)
	},
})

// InspectExec returns a further process of a container.
func (c *Client) InspectExec(ctx context.Context, reference, exec string) (Exec, error) {
	return inspectExecRoute.call(ctx, c, execRefRequest{reference, exec})
}

type execWaiter interface {
	WaitExec(ctx context.Context, reference, exec string) (*End, error)
}

var waitExecRoute = define(route[execWaiter, execRefRequest, *End]{
	Name:   "WaitExec",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/execs/{exec}/wait",
	Doc:    "waits for the end of a further process of a container",
	Serve: func(ctx context.Context, h execWaiter, r *execRefRequest) (*End, error) {
		return h.WaitExec(ctx, r.Ref, r.Exec)
	},
})

// WaitExec waits for the end of a further process and returns it.
func (c *Client) WaitExec(ctx context.Context, reference, exec string) (end *End, err error) {
	err = c.retry(ctx, func() error {
		end, err = waitExecRoute.call(ctx, c, execRefRequest{reference, exec})
		return err
	})
	return end, err
}

type killExecRequest struct {
	Ref  string `path:"ref" json:"-"`
	Exec string `path:"exec" json:"-"`
	// Signal is KILL if it is left out.
	Signal signalName `json:"signal,omitzero"`
}

type execKiller interface {
	KillExec(ctx context.Context, reference, exec string, sig executor.Signal) error
}

var killExecRoute = define(route[execKiller, killExecRequest, none]{
	Name:   "KillExec",
	Method: http.MethodPost,
	Path:   "/v1/containers/{ref}/execs/{exec}/kill",
	Doc:    "sends a signal, KILL unless another is named, to a further process of a container",
	Serve: func(ctx context.Context, h execKiller, r *killExecRequest) (none, error) {
		if r.Signal == 0 {
			r.Signal = signalName(syscall.SIGKILL)
		}
		return none{}, h.KillExec(ctx, r.Ref, r.Exec, executor.Signal(r.Signal))
	},
})

// KillExec sends a signal to a further process.
func (c *Client) KillExec(ctx context.Context, reference, exec string, sig executor.Signal) error {
	_, err := killExecRoute.call(ctx, c, killExecRequest{reference, exec, signalName(sig)})
	return err
}

type execLogger interface {
	ExecLogs(ctx context.Context, reference, exec string, opts LogOptions, sink Sink) error
}

type execLogsRequest struct {
	Ref        string    `path:"ref" json:"-"`
	Exec       string    `path:"exec" json:"-"`
	Follow     bool      `query:"follow" json:"-"`
	Tail       *int      `query:"tail" json:"-"`
	Stdout     bool      `query:"stdout" json:"-"`
	Stderr     bool      `query:"stderr" json:"-"`
	Since      time.Time `query:"since" json:"-"`
	Until      time.Time `query:"until" json:"-"`
	Timestamps bool      `query:"timestamps" json:"-"`
	// FromStdout and FromStderr are offsets to begin at.
	FromStdout int64 `query:"from_stdout" json:"-"`
	FromStderr int64 `query:"from_stderr" json:"-"`
}

func newExecLogsRequest(reference, exec string, o LogOptions) execLogsRequest {
	return execLogsRequest{
		Ref: reference, Exec: exec, Follow: o.Follow, Tail: o.Tail, Stdout: o.Stdout, Stderr: o.Stderr, Since: o.Since, Until: o.Until,
		Timestamps: o.Timestamps, FromStdout: o.From.Stdout, FromStderr: o.From.Stderr,
	}
}

func (r *execLogsRequest) options(f *frames) LogOptions {
	return LogOptions{
		From: Cursor{Stdout: r.FromStdout, Stderr: r.FromStderr}, Follow: r.Follow, Tail: r.Tail, Stdout: r.Stdout, Stderr: r.Stderr,
		Since: r.Since, Until: r.Until, Timestamps: r.Timestamps, Begun: f.cursor, Dropped: f.dropped,
	}
}

var execLogsRoute = define(route[execLogger, execLogsRequest, outputStream]{
	Name:   "ExecLogs",
	Method: http.MethodGet,
	Path:   "/v1/containers/{ref}/execs/{exec}/logs",
	Doc:    "streams the output of a further process that was started without a client, or with a terminal",
	Stream: func(ctx context.Context, h execLogger, r *execLogsRequest, w http.ResponseWriter) error {
		f := newFrames(w)
		return f.fail(ctx, h.ExecLogs(ctx, r.Ref, r.Exec, r.options(f), f.write))
	},
})

// ExecLogs copies the output of a further process to sink, as opts say; see the method of
// host.Host.
func (c *Client) ExecLogs(ctx context.Context, reference, exec string, opts LogOptions, sink Sink) error {
	f := follower{opts: opts, sink: sink}
	return c.retry(ctx, func() error {
		return f.follow(ctx, c, func() (*http.Response, error) {
			return execLogsRoute.open(ctx, c, newExecLogsRequest(reference, exec, f.opts))
		})
	})
}
