package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
)

// TestCalls makes each call through a client and a server.
func TestCalls(t *testing.T) {
	code := 3
	end := &End{Exit: executor.Exit{Code: &code, Signal: syscall.SIGKILL, Source: executor.Observed, At: time.Unix(5, 0).UTC()}, Attempt: 1, Output: executor.Complete}
	container := Container{ID: "c1", Name: "a/b", Attempt: 4, State: StateExited, Command: []string{"sh", "-c", "<&>"}, Exit: end, CreatedAt: time.Unix(4, 0).UTC()}
	options := ContainerOptions{
		Name: "web", RequestID: "r1", Rootfs: "/srv", Process: ocispec.Options{Args: []string{"true"}}, AutoRemove: true,
		StopSignal: syscall.SIGINT, StopTimeout: new(90 * time.Second), StartTimeout: 5 * time.Minute, Labels: map[string]string{"a": "b"},
		Publish: []publish.Port{{HostIP: netip.IPv6Loopback(), HostPort: 80, HostLast: 90, ContainerPort: 80, Protocol: publish.UDP}},
	}
	var got []any // the arguments of the call at the host
	f := &fake{
		create: func(_ context.Context, o ContainerOptions) (Container, error) {
			got = []any{o}
			return container, nil
		},
		inspect: func(ref string) (Container, error) { got = []any{ref}; return container, nil },
		list:    func() ([]Container, error) { got = nil; return []Container{container}, nil },
		wait: func(_ context.Context, ref string, attempt int) (*End, error) {
			got = []any{ref, attempt}
			return end, nil
		},
		start: func(_ context.Context, ref string) (Container, error) { got = []any{ref}; return container, nil },
		kill: func(_ context.Context, ref string, sig executor.Signal) error {
			got = []any{ref, sig}
			return nil
		},
		stop: func(_ context.Context, ref string, o StopOptions) error {
			got = []any{ref, o.Within()}
			if o.Signal != 0 {
				got = append(got, o.Signal)
			}
			return nil
		},
		remove:   func(_ context.Context, ref string, force bool) error { got = []any{ref, force}; return nil },
		backends: func() ([]BackendInfo, error) { got = nil; return []BackendInfo{{Default: true}}, nil },
		runtimes: func(_ context.Context, b string) ([]executor.RuntimeInfo, error) {
			got = []any{b}
			return []executor.RuntimeInfo{{Name: "runc"}}, nil
		},
		check: func(_ context.Context, b string) (diag.Diagnostics, error) {
			got = []any{b}
			return diag.Diagnostics{{Message: "m", Hint: "h"}}, nil
		},
	}
	c, _ := serveFake(t, f)
	ctx := t.Context()
	type result struct {
		value any
		err   error
	}
	of := func(v any, err error) result { return result{v, err} }
	for _, tt := range []struct {
		name string
		call func() result
		args []any
		want any
	}{
		{"create", func() result { return of(c.Create(ctx, options)) }, []any{options}, container},
		{"inspect", func() result { return of(c.Inspect(ctx, "web")) }, []any{"web"}, container},
		{"slash", func() result { return of(c.Inspect(ctx, "a/b")) }, []any{"a/b"}, container},
		{"odd", func() result { return of(c.Inspect(ctx, "a?b#c d%2f\x00é")) }, []any{"a?b#c d%2f\x00é"}, container},
		{"list", func() result { return of(c.List(ctx)) }, nil, []Container{container}},
		{"wait", func() result { return of(c.Wait(ctx, "a/b")) }, []any{"c1", 4}, end},
		{"wait for an attempt", func() result { return of(c.WaitAttempt(ctx, "a/b", 2)) }, []any{"a/b", 2}, end},
		{"start", func() result { return of(c.Start(ctx, "c1")) }, []any{"c1"}, container},
		{"kill", func() result { return of(nil, c.Kill(ctx, "c1", syscall.SIGHUP)) }, []any{"c1", syscall.SIGHUP}, nil},
		{"real-time signal", func() result { return of(nil, c.Kill(ctx, "c1", 40)) }, []any{"c1", syscall.Signal(40)}, nil},
		{"stop", func() result { return of(nil, c.Stop(ctx, "c1", time.Second)) }, []any{"c1", time.Second}, nil},
		{"stop with its own timeout", func() result { return of(nil, c.Stop(ctx, "c1", OwnStopTimeout)) }, []any{"c1", OwnStopTimeout}, nil},
		{"stop at once", func() result { return of(nil, c.Stop(ctx, "c1", 0)) }, []any{"c1", time.Duration(0)}, nil},
		{"stop without end", func() result { return of(nil, c.Stop(ctx, "c1", -time.Second)) }, []any{"c1", -time.Second}, nil},
		{"stop with a signal", func() result {
			return of(nil, c.StopWith(ctx, "c1", StopOptions{Signal: syscall.SIGINT}))
		}, []any{"c1", OwnStopTimeout, syscall.SIGINT}, nil},
		{"restart with a signal", func() result {
			return of(c.RestartWith(ctx, "c1", StopOptions{Timeout: new(time.Second), Signal: 40}))
		}, []any{"c1", time.Second, syscall.Signal(40)}, Container{ID: "c1"}},
		{"restart", func() result { return of(c.Restart(ctx, "a/b", time.Second)) }, []any{"a/b", time.Second}, Container{ID: "a/b"}},
		{"restart with its own timeout", func() result { return of(c.Restart(ctx, "c1", OwnStopTimeout)) }, []any{"c1", OwnStopTimeout}, Container{ID: "c1"}},
		{"rename", func() result { return of(nil, c.Rename(ctx, "a/b", "web")) }, []any{"a/b is web"}, nil},
		{"remove", func() result { return of(nil, c.Remove(ctx, "c1", false)) }, []any{"c1", false}, nil},
		{"remove by force", func() result { return of(nil, c.Remove(ctx, "c1", true)) }, []any{"c1", true}, nil},
		{"remove with volumes", func() result { return of(nil, c.RemoveWith(ctx, "c1", RemoveOptions{Volumes: true})) }, []any{"c1 with volumes", false}, nil},
		{"backends", func() result { return of(c.Backends(ctx)) }, nil, []BackendInfo{{Default: true}}},
		{"runtimes", func() result { return of(c.Runtimes(ctx, "main")) }, []any{"main"}, []executor.RuntimeInfo{{Name: "runc"}}},
		{"images of a backend", func() result { return of(c.BackendImages(ctx, "main")) }, nil, []executor.Image{{Name: "of main", Digest: "sha256:01"}}},
		{"restart of a backend", func() result { return of(nil, c.RestartBackend(ctx, "main")) }, []any{"main"}, nil},
		{"check", func() result { return of(c.Check(ctx, "main")) }, []any{"main"}, diag.Diagnostics{{Message: "m", Hint: "h"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got = nil
			r := tt.call()
			if r.err != nil {
				t.Fatal(r.err)
			}
			if !reflect.DeepEqual(got, tt.args) {
				t.Errorf("host got %+v, want %+v", got, tt.args)
			}
			if !reflect.DeepEqual(r.value, tt.want) {
				t.Errorf("got %+v, want %+v", r.value, tt.want)
			}
		})
	}
	v, err := c.Version(ctx)
	if err != nil || v.Version != "1.2.3" || v.HostID != "host-1" || v.PID == 0 {
		t.Errorf("version: got %+v, %v", v, err)
	}
	for _, ref := range []string{"", ".", ".."} {
		if _, err := c.Inspect(ctx, ref); !errors.Is(err, executor.Invalid) {
			t.Errorf("inspect %q: got %v, want invalid", ref, err)
		}
	}
}

// TestErrors sends an error of each code to the client.
func TestErrors(t *testing.T) {
	var failing error
	c, _ := serveFake(t, &fake{kill: func(context.Context, string, executor.Signal) error { return failing }})
	for _, tt := range []struct {
		code   executor.Code
		status int
	}{
		{executor.NotFound, 404},
		{executor.AlreadyExists, 409},
		{executor.Invalid, 400},
		{executor.FailedPrecondition, 409},
		{executor.Unavailable, 503},
		{executor.Unsupported, 501},
		{executor.OutcomeUnknown, 502},
		{executor.CommandNotFound, 422},
		{executor.CommandNotExecutable, 422},
		{executor.DeadlineExceeded, 504},
		{executor.Canceled, 499},
		{executor.Internal, 500},
		{"of_a_later_release", 500},
	} {
		t.Run(string(tt.code), func(t *testing.T) {
			failing = fmt.Errorf("outer: %w", executor.Errorf(tt.code, "what \"and\" why"))
			err := c.Kill(t.Context(), "c1", syscall.SIGTERM)
			if !errors.Is(err, tt.code) || err.Error() != failing.Error() {
				t.Errorf("got %q (%s), want %q", err, executor.CodeOf(err), failing)
			}
			if got := raw(t, c, "POST", "/v1/containers/c1/kill", ""); got.status != tt.status {
				t.Errorf("got status %d, want %d", got.status, tt.status)
			}
		})
	}
}

// TestBadRequests shows what is refused before the host sees it.
func TestBadRequests(t *testing.T) {
	c, _ := serveFake(t, &fake{})
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"no such route", "GET", "/v2/containers", "", 404, "this host has no route GET /v2/containers"},
		{"root", "GET", "/", "", 404, "this host has no route GET /"},
		{"wrong method", "PUT", "/v1/containers", "", 405, "this host has no route PUT /v1/containers"},
		{"not JSON", "POST", "/v1/containers", "name=x", 400, "the request's body: it is not JSON, at byte 2: invalid character"},
		{"no body", "POST", "/v1/containers", "", 400, "the request has no body"},
		{"unknown member", "POST", "/v1/containers", `{"rootfs":"/","memry":1}`, 400, `unknown field "memry"`},
		{"wrong type", "POST", "/v1/containers", `{"rootfs":1}`, 400, `the request's body: "rootfs" must be a string, not a number`},
		{"member twice", "POST", "/v1/containers", `{"rootfs":"/a","rootfs":"/b"}`, 400, `the document has both "rootfs" and "rootfs"; keep one of them`},
		{"member in another case", "POST", "/v1/containers", `{"ROOTFS":"/"}`, 400, `"ROOTFS" must be written "rootfs"`},
		{"member within, in another case", "POST", "/v1/containers", `{"process":{"Args":["x"]}}`, 400, `"process.Args" must be written "args"`},
		{"a body where none is", "POST", "/v1/containers/web/pause", `{"x":1}`, 400, `unknown field`},
		{"two values", "POST", "/v1/containers", `{"rootfs":"/"}{}`, 400, "more than one JSON value"},
		{"too large", "POST", "/v1/containers", `{"rootfs":"` + strings.Repeat("x", MaxBody) + `"}`, 413, "too large"},
		{"too large after the value", "POST", "/v1/containers", `{"rootfs":"/"}` + strings.Repeat(" ", MaxBody), 413, "too large"},
		{"deep", "POST", "/v1/containers", strings.Repeat("[", 1<<15), 400, "the request's body"},
		{"relative rootfs", "POST", "/v1/containers", `{"rootfs":"x"}`, 400, `rootfs "x" is not an absolute path`},
		{"relative bundle", "POST", "/v1/run", `{"bundle":"./x"}`, 400, `bundle "./x" is not an absolute path`},
		{"stop timeout", "POST", "/v1/containers", `{"rootfs":"/","stop_timeout":10}`, 400, `the request's body: "stop_timeout" must be a string, not a number`},
		{"stop signal", "POST", "/v1/containers", `{"rootfs":"/","stop_signal":"NOPE"}`, 400, "NOPE"},
		{"stop signal that does not exist", "POST", "/v1/containers", `{"rootfs":"/","stop_signal":"999"}`, 400, "signal 999 does not exist; signals go from 1 to 64"},
		{"negative signal", "POST", "/v1/containers/x/kill", `{"signal":"-9"}`, 400, "signal -9 does not exist"},
		{"body not UTF-8", "POST", "/v1/containers", "{\"rootfs\":\"/\xff\"}", 400, "the request's body is not UTF-8"},
		{"path not UTF-8", "POST", "/v1/containers/%ff/stop", "", 400, "ref: \"\\xff\" is not UTF-8"},
		{"parameter not UTF-8", "GET", "/v1/containers/x/wait?%ff=1", "", 400, "is not known here"},
		{"timeout", "POST", "/v1/containers/x/stop", `{"timeout":"10 s"}`, 400, `the request's body: "timeout": "10 s" is not a duration such as 1m30s or 250ms`},
		{"signal", "POST", "/v1/containers/x/kill", `{"signal":"SIGFOO"}`, 400, "SIGFOO"},
		{"unknown parameter", "GET", "/v1/containers/x/logs?folow=1", "", 400, `parameter "folow" is not known here`},
		{"bad bool", "DELETE", "/v1/containers/x?force=yes", "", 400, `parameter force: "yes" is not allowed`},
		{"bad number", "GET", "/v1/containers/x/logs?tail=all", "", 400, `parameter tail: "all" is not allowed`},
		{"bad time", "GET", "/v1/containers/x/logs?since=5m", "", 400, `parameter since: "5m" is not allowed`},
		{"twice", "GET", "/v1/containers/x/logs?tail=1&tail=2", "", 400, "parameter tail is given 2 times"},
		{"negative cursor", "GET", "/v1/events?after=-1", "", 400, `parameter after: "-1" is not allowed`},
		{"both cursors", "GET", "/v1/events?after=1&tail=1", "", 400, "do not go together"},
		{"bad query", "GET", "/v1/events?%zz", "", 400, "invalid URL escape"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := raw(t, c, tt.method, tt.path, tt.body)
			var f failure
			err := json.Unmarshal([]byte(got.body), &f)
			if err != nil || got.status != tt.status || f.Code == "" || !strings.Contains(f.Message, tt.want) {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.want)
			}
			if ct := got.header.Get("Content-Type"); ct != "application/json" {
				t.Errorf("got content type %q", ct)
			}
		})
	}
	if allow := raw(t, c, "PUT", "/v1/containers", "").header.Get("Allow"); allow != "GET, HEAD, POST" {
		t.Errorf("got Allow %q", allow)
	}
}

// TestDefaults shows what requests may leave out.
func TestDefaults(t *testing.T) {
	f := &fake{list: func() ([]Container, error) { return nil, nil }}
	c, _ := serveFake(t, f)
	var sig executor.Signal
	f.kill = func(_ context.Context, _ string, s executor.Signal) error { sig = s; return nil }
	if got := raw(t, c, "POST", "/v1/containers/x/kill", ""); got.status != 204 || sig != syscall.SIGKILL {
		t.Errorf("kill: got %d, %v", got.status, sig)
	}
	var timeout time.Duration
	f.stop = func(_ context.Context, _ string, o StopOptions) error { timeout = o.Within(); return nil }
	if raw(t, c, "POST", "/v1/containers/x/stop", ""); timeout != OwnStopTimeout {
		t.Errorf("stop: got %v", timeout)
	}
	if raw(t, c, "POST", "/v1/containers/x/stop", `{"timeout":"0s"}`); timeout != 0 {
		t.Errorf("stop at once: got %v", timeout)
	}
	if got := raw(t, c, "GET", "/v1/containers", ""); got.body != "[]\n" {
		t.Errorf("no containers: got %q", got.body)
	}
}

func TestHangUpEndsTheWait(t *testing.T) {
	waiting, over := make(chan struct{}), make(chan error, 1)
	c, _ := serveFake(t, &fake{wait: func(ctx context.Context, _ string, _ int) (*End, error) {
		close(waiting)
		<-ctx.Done()
		over <- ctx.Err()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-waiting; cancel() }()
	if _, err := c.WaitAttempt(ctx, "x", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	select {
	case <-over:
	case <-time.After(time.Minute):
		t.Error("the host still waits")
	}
}

func TestPanicIsAnError(t *testing.T) {
	f := &fake{list: func() ([]Container, error) { panic("boom") }}
	c, _ := serveFake(t, f)
	if _, err := c.List(t.Context()); !errors.Is(err, executor.Internal) || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
	f.logs = func(_ context.Context, _ string, _ LogOptions, sink Sink) error {
		_ = sink(Stdout, []byte("x"))
		panic("boom")
	}
	err := c.Logs(t.Context(), "x", LogOptions{}, nil)
	if !errors.Is(err, executor.Unavailable) {
		t.Errorf("in a stream: got %v, want a broken connection", err)
	}
	f.list = func() ([]Container, error) { return nil, nil }
	if _, err := c.List(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestStoppingHost(t *testing.T) {
	started := make(chan struct{})
	c, stop := serveFake(t, &fake{wait: func(ctx context.Context, _ string, _ int) (*End, error) {
		close(started)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	go func() { <-started; _ = stop() }()
	if _, err := c.WaitAttempt(t.Context(), "x", 1); !errors.Is(err, executor.Unavailable) || err.Error() != errStopping.Error() {
		t.Errorf("got %v, want %v", err, errStopping)
	}
}

func TestStoppingHostWaitsForNoUnusedConnection(t *testing.T) {
	c, stop := serveFake(t, &fake{list: func() ([]Container, error) { return nil, nil }})
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := c.List(t.Context()); err != nil { // the other one has been accepted, too
		t.Fatal(err)
	}
	start := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("it took %s", d)
	}
}

func TestNoHost(t *testing.T) {
	c := NewClient("/nowhere/davit.sock")
	_, err := c.List(t.Context())
	want := "cannot reach the davit host at /nowhere/davit.sock: is `davit serve` running?"
	if !errors.Is(err, executor.Unavailable) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := NewClient("/" + strings.Repeat("x", 120)).List(t.Context()); !errors.Is(err, executor.Invalid) {
		t.Errorf("long path: got %v, want invalid", err)
	}
	if _, err := NewClient("/dev/null").List(t.Context()); !errors.Is(err, executor.Unavailable) {
		t.Errorf("no socket: got %v, want unavailable", err)
	}
}

func TestHostThatSpeaksSomethingElse(t *testing.T) {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "<html>")
	})}
	l, err := Listen(socketIn(shortDir(t)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	defer func() { server.Close(); <-done }()
	c := NewClient(l.Addr().String())
	defer c.Close()
	if _, err := c.List(t.Context()); err == nil {
		t.Error("html was taken for a list")
	}
	if err := c.Remove(t.Context(), "x", false); !errors.Is(err, executor.Internal) {
		t.Errorf("redirect: got %v", err)
	}
	if _, err := c.Run(t.Context(), ContainerOptions{}, nil, nil); err == nil {
		t.Error("html was taken for a stream")
	}
}

func TestPrune(t *testing.T) {
	var got PruneOptions
	c, _ := serveFake(t, &fake{prune: func(_ context.Context, o PruneOptions) (Pruned, error) {
		got = o
		return Pruned{Containers: []ContainerUsage{{ID: "a", Bytes: 5}}, Bytes: 5}, nil
	}})
	want := PruneOptions{Older: 90 * time.Minute, DryRun: true}
	if done, err := c.Prune(t.Context(), want); err != nil || done.Bytes != 5 || len(done.Containers) != 1 || got != want {
		t.Errorf("got %+v, %v; the host got %+v", done, err, got)
	}
	if usage, err := c.DiskUsage(t.Context()); err != nil || len(usage.Containers) != 1 || !usage.Containers[0].Lost {
		t.Errorf("got %+v, %v", usage, err)
	}
}
