package api

import (
	"context"
	"net/http"
	"time"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// EventExecStarted occurs when a further process of a container has started, EventExecExited
// when it has ended and its output is complete, and EventExecFailed when it could not be
// started. Its id is in the data as "exec".
const (
	EventExecStarted = "exec.started"
	EventExecExited  = "exec.exited"
	EventExecFailed  = "exec.failed"
)

// ExecOptions say what further process a container shall run. It has the environment, user,
// working directory, limits and privileges of the container's own, but for what is set
// here.
type ExecOptions struct {
	// ID is unique among the execs of the container: lower-case letters, digits and single
	// inner dashes. Empty means that the host chooses. The same request with the same ID
	// again returns the exec that the first one made.
	ID string `json:"id,omitempty"`
	// Args is the command, never run through a shell. Required.
	Args []string `json:"args,omitempty"`
	// Env, Cwd and User are those of [ocispec.Options].
	Env  []string `json:"env,omitempty"`
	Cwd  string   `json:"cwd,omitempty"`
	User string   `json:"user,omitempty"`
	// Privileged gives it all capabilities.
	Privileged bool `json:"privileged,omitempty"`
	// Stdin gives it an input; otherwise that is empty.
	Stdin bool `json:"stdin,omitempty"`
	// Terminal gives it a terminal, of the size Console if that is set.
	Terminal bool                   `json:"terminal,omitempty"`
	Console  *executor.TerminalSize `json:"console,omitempty"`
	// Keep lets it go on when its client goes away, and keeps its output in files.
	// Otherwise it is hung up, and then killed.
	Keep bool `json:"keep,omitempty"`
}

// Process returns what is set as options of a process.
func (o *ExecOptions) Process() ocispec.Options {
	p := ocispec.Options{Args: o.Args, Env: o.Env, Cwd: o.Cwd, User: o.User, Privileged: o.Privileged, Terminal: &o.Terminal}
	if o.Console != nil {
		p.ConsoleSize = consoleBox(*o.Console)
	}
	return p
}

// Exec is a snapshot of a further process of a container.
type Exec struct {
	ID        string `json:"id"`
	Container string `json:"container"`
	Attempt   int    `json:"attempt"`
	// Command is the beginning of a command of more than 4 KiB.
	Command    []string  `json:"command,omitempty"`
	State      State     `json:"state"`
	PID        int       `json:"pid,omitempty"`
	Stdin      bool      `json:"stdin,omitempty"`
	Terminal   bool      `json:"terminal,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	Exit       *End      `json:"exit,omitempty"`
}

type execRequest struct {
	Ref string `path:"ref" json:"-"`
	ExecOptions
}

type executer interface {
	Exec(ctx context.Context, reference string, opts ExecOptions) (Exec, error)
}

var execRoute = define(route[executer, execRequest, Exec]{
	Name:      "Exec",
	Method:    http.MethodPost,
	Path:      "/v1/containers/{ref}/execs",
	Doc:       "starts a further process in a container that runs",
	NeedsBody: true,
	Serve: func(ctx context.Context, h executer, r *execRequest) (Exec, error) {
		return h.Exec(ctx, r.Ref, r.ExecOptions)
	},
})

// Exec starts a further process in a container that runs, and leaves it running; see the
// method of host.Host.
func (c *Client) Exec(ctx context.Context, reference string, opts ExecOptions) (made Exec, err error) {
	opts.identify()
	err = c.retry(ctx, func() error {
		made, err = execRoute.call(ctx, c, execRequest{reference, opts})
		return err
	})
	return made, err
}

type execStreamRequest struct {
	Ref string `path:"ref" json:"-"`
	// FromStdout and FromStderr are how much the client has of an exec that it was
	// attached to before.
	FromStdout int64 `query:"from_stdout" json:"-"`
	FromStderr int64 `query:"from_stderr" json:"-"`
	ExecOptions
}

type execAttacher interface {
	ExecAttached(ctx context.Context, reference string, opts ExecOptions, to Streams) (*End, error)
}

var execAttachedRoute = define(route[execAttacher, execStreamRequest, duplexStream]{
	Name:      "ExecAttached",
	Method:    http.MethodPost,
	Path:      "/v1/containers/{ref}/exec",
	Doc:       "starts a further process in a container that runs, with its streams on this connection",
	NeedsBody: true,
	Upgrade: func(ctx context.Context, h execAttacher, r *execStreamRequest, d *duplex) (*End, error) {
		return h.ExecAttached(ctx, r.Ref, r.ExecOptions, d.streams(Cursor{Stdout: r.FromStdout, Stderr: r.FromStderr}))
	},
})

// ExecAttached starts a further process in a container that runs, attaches the caller to
// it, and returns its end; see the method of host.Host. A host that goes away and comes
// back changes nothing, within Patience.
func (c *Client) ExecAttached(ctx context.Context, reference string, opts ExecOptions, to Streams) (*End, error) {
	opts.identify()
	return c.attachTo(ctx, to, func(ctx context.Context, at Cursor) (*http.Response, error) {
		return execAttachedRoute.upgrade(ctx, c, execStreamRequest{reference, at.Stdout, at.Stderr, opts})
	})
}
