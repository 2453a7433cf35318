package api

import (
	"context"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// fake is a host of functions. Those that a test does not set are not called.
type fake struct {
	create   func(context.Context, ContainerOptions) (Container, error)
	run      func(context.Context, ContainerOptions, func(Container) error, Sink) (*End, error)
	attach   func(context.Context, string, LogOptions, Sink) (*End, error)
	inspect  func(string) (Container, error)
	list     func() ([]Container, error)
	wait     func(context.Context, string, int) (*End, error)
	start    func(context.Context, string) (Container, error)
	kill     func(context.Context, string, executor.Signal) error
	stop     func(context.Context, string, time.Duration) error
	remove   func(context.Context, string, bool) error
	logs     func(context.Context, string, LogOptions, Sink) error
	backends func() ([]BackendInfo, error)
	runtimes func(context.Context, string) ([]executor.RuntimeInfo, error)
	check    func(context.Context, string) (diag.Diagnostics, error)
	prune    func(context.Context, PruneOptions) (Pruned, error)
	pause    func(context.Context, string) error
	resume   func(context.Context, string) error
	strays   func(context.Context) ([]Stray, error)
	adopt    func(context.Context, string) (Container, error)
	discard  func(context.Context, string) error
	events   func(context.Context, uint64) iter.Seq2[Event, error]
	oldest   uint64
	newest   uint64
}

func (f *fake) Strays(ctx context.Context) ([]Stray, error)                 { return f.strays(ctx) }
func (f *fake) AdoptStray(ctx context.Context, r string) (Container, error) { return f.adopt(ctx, r) }
func (f *fake) RemoveStray(ctx context.Context, r string) error             { return f.discard(ctx, r) }

func (f *fake) ID() string { return "host-1" }
func (f *fake) Create(ctx context.Context, o ContainerOptions) (Container, error) {
	return f.create(ctx, o)
}
func (f *fake) RunAttached(ctx context.Context, o ContainerOptions, to Attachment) (*End, error) {
	return f.run(ctx, o, to.Started, to.Output)
}
func (f *fake) Attach(ctx context.Context, ref string, o LogOptions, sink Sink) (*End, error) {
	return f.attach(ctx, ref, o, sink)
}
func (f *fake) Inspect(ref string) (Container, error) { return f.inspect(ref) }
func (f *fake) List() ([]Container, error)            { return f.list() }
func (f *fake) WaitAttempt(ctx context.Context, ref string, attempt int) (*End, error) {
	return f.wait(ctx, ref, attempt)
}
func (f *fake) Start(ctx context.Context, ref string) (Container, error) {
	return f.start(ctx, ref)
}
func (f *fake) Kill(ctx context.Context, ref string, sig executor.Signal) error {
	return f.kill(ctx, ref, sig)
}
func (f *fake) Stop(ctx context.Context, ref string, timeout time.Duration) error {
	return f.stop(ctx, ref, timeout)
}
func (f *fake) Restart(ctx context.Context, ref string, timeout time.Duration) (Container, error) {
	return Container{ID: ref}, f.stop(ctx, ref, timeout)
}
func (f *fake) Rename(ctx context.Context, ref, name string) error {
	_, err := f.inspect(ref + " is " + name)
	return err
}
func (f *fake) Remove(ctx context.Context, ref string, force bool) error {
	return f.remove(ctx, ref, force)
}
func (f *fake) Logs(ctx context.Context, ref string, o LogOptions, sink Sink) error {
	return f.logs(ctx, ref, o, sink)
}
func (f *fake) Backends() ([]BackendInfo, error) { return f.backends() }
func (f *fake) Runtimes(ctx context.Context, b string) ([]executor.RuntimeInfo, error) {
	return f.runtimes(ctx, b)
}
func (f *fake) Check(ctx context.Context, b string) (diag.Diagnostics, error) {
	return f.check(ctx, b)
}
func (f *fake) RestartBackend(ctx context.Context, b string) error {
	_, err := f.check(ctx, b)
	return err
}
func (f *fake) DiskUsage() (DiskUsage, error) {
	return DiskUsage{Containers: []ContainerUsage{{ID: "x", Bytes: 1, Lost: true}}}, nil
}
func (f *fake) Prune(ctx context.Context, o PruneOptions) (Pruned, error) { return f.prune(ctx, o) }
func (f *fake) Stats(ctx context.Context, ref string) (executor.Stats, error) {
	return executor.Stats{PIDs: []int{len(ref)}}, f.pause(ctx, ref)
}
func (f *fake) Processes(ctx context.Context, ref string) ([]Process, error) {
	return []Process{{PID: len(ref)}}, f.pause(ctx, ref)
}
func (f *fake) Pause(ctx context.Context, ref string) error  { return f.pause(ctx, ref) }
func (f *fake) Resume(ctx context.Context, ref string) error { return f.resume(ctx, ref) }
func (f *fake) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return f.events(ctx, after)
}
func (f *fake) EventCursors() (uint64, uint64, error) { return f.oldest, f.newest, nil }

// shortDir returns a directory with a path that leaves room for sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A host that is about to end may make its socket again meanwhile.
		if !wait.Holds(func() bool { return os.RemoveAll(dir) == nil }) {
			t.Errorf("%s cannot be removed", dir)
		}
	})
	return dir
}

// socketIn returns where the host of a run directory listens.
func socketIn(dir string) Socket {
	return Socket{Path: filepath.Join(dir, "davit.sock"), RunDir: dir}
}

// serveFake serves f and returns a client of it, and a function that stops serving.
func serveFake(t testing.TB, f *fake) (*Client, func() error) {
	t.Helper()
	dir := shortDir(t)
	l, err := Listen(socketIn(dir))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, newHandler(f, Options{Version: Version{Version: "1.2.3"}})) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	c := NewClient(filepath.Join(dir, "davit.sock"))
	t.Cleanup(func() {
		c.Close()
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return c, stop
}

// An answer is what a client that knows nothing of this package sees.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw makes a request as it stands.
func raw(t *testing.T, c *Client, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequest(method, "http://davit"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: c.dial, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}
