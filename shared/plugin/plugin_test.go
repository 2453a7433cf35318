package plugin

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// fakeBackend has function fields for what a test wants to see.
type fakeBackend struct {
	host   executor.Host
	create func(context.Context, executor.Workload) (executor.Status, error)
}

func (b *fakeBackend) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	return b.create(ctx, w)
}
func (b *fakeBackend) Restore(_ context.Context, ref executor.Ref, _ executor.Stdio) (executor.Status, error) {
	return executor.Status{Ref: ref, State: executor.Running}, nil
}
func (b *fakeBackend) List(context.Context) ([]executor.Status, error)             { return nil, nil }
func (b *fakeBackend) Signal(context.Context, executor.Ref, executor.Signal) error { return nil }
func (b *fakeBackend) Delete(context.Context, executor.Ref) error                  { return nil }
func (b *fakeBackend) ResolveRuntime(context.Context, string) (executor.Runtime, error) {
	return executor.Runtime{Name: "r"}, nil
}

// fakeHost records what an executor reports.
type fakeHost struct {
	mu      sync.Mutex
	exits   []executor.Status
	failing int // so many reports are refused first
	hang    chan struct{}
}

func (h *fakeHost) Exited(ctx context.Context, s executor.Status) error {
	if h.hang != nil {
		select {
		case <-h.hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failing > 0 {
		h.failing--
		return executor.Errorf(executor.Unavailable, "disk is busy")
	}
	h.exits = append(h.exits, s)
	return nil
}
func (h *fakeHost) Released(context.Context, executor.Ref, executor.Output) error { return nil }

type harness struct {
	t       *testing.T
	backend *fakeBackend
	opens   int
	server  *Server
}

func newHarness(t *testing.T) *harness {
	h := &harness{t: t, backend: &fakeBackend{}}
	h.server = NewServer(executor.Executor{
		Name: "fake", Version: "1",
		Open: func(_ context.Context, _ executor.Environment, host executor.Host) (executor.Backend, error) {
			h.opens++
			h.backend.host = host
			return h.backend, nil
		},
	}, nil)
	return h
}

func (h *harness) dial(host executor.Host) transport.Client {
	h.t.Helper()
	l, err := net.Listen("unix", filepath.Join(h.t.TempDir(), "s"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err == nil {
			ServeConn(conn, h.server)
		}
	}()
	raw, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		h.t.Fatal(err)
	}
	conn, err := transport.Connect(h.t.Context(), raw, func(*transport.Conn) transport.Handlers { return transport.HostHandlers(host) }, hclog.NewNullLogger())
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close(); <-served })
	return transport.Client{Conn: conn}
}

func (h *harness) open(epoch uint64, host executor.Host) transport.Client {
	h.t.Helper()
	c := h.dial(host)
	if _, err := c.Hello(h.t.Context(), transport.Hello{Protocol: transport.ProtocolVersion, Epoch: epoch}); err != nil {
		h.t.Fatal(err)
	}
	if _, err := transport.MethodOpen.Call(h.t.Context(), c, executor.Environment{HostID: "h", Backend: "b"}); err != nil {
		h.t.Fatal(err)
	}
	return c
}

var (
	refA  = executor.Ref{ID: "a", Attempt: 1}
	spec  = []byte("{}")
	alive = executor.Status{Ref: refA, State: executor.Running}
)

func TestHelloComesFirst(t *testing.T) {
	h := newHarness(t)
	c := h.dial(&fakeHost{})
	if _, err := c.List(t.Context()); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("list before hello: got %v, want failed precondition", err)
	}
	if _, err := c.Hello(t.Context(), transport.Hello{Protocol: 99}); !errors.Is(err, executor.Unsupported) || !strings.Contains(err.Error(), "99") {
		t.Errorf("hello of another protocol: got %v, want unsupported, naming it", err)
	}
}

func TestOpenTwice(t *testing.T) {
	h := newHarness(t)
	c := h.open(1, &fakeHost{})
	reply, err := transport.MethodOpen.Call(t.Context(), c, executor.Environment{HostID: "h", Backend: "b"})
	if err != nil || h.opens != 1 {
		t.Errorf("equal settings: got %v and %d opens, want none and 1", err, h.opens)
	}
	if len(reply.Capabilities) != 1 || reply.Capabilities[0] != executor.CapRuntimeResolve {
		t.Errorf("capabilities: got %v", reply.Capabilities)
	}
	if _, err := transport.MethodOpen.Call(t.Context(), c, executor.Environment{HostID: "h", Backend: "other"}); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("other settings: got %v, want failed precondition", err)
	}
	if _, err := transport.MethodRuntimeList.Call(t.Context(), c, transport.None{}); !errors.Is(err, executor.Unsupported) {
		t.Errorf("undeclared capability: got %v, want unsupported", err)
	}
}

func TestBadInputNeverReachesTheBackend(t *testing.T) {
	h := newHarness(t)
	h.backend.create = func(context.Context, executor.Workload) (executor.Status, error) {
		t.Error("create was called")
		return alive, nil
	}
	c := h.open(1, &fakeHost{})
	good := executor.Workload{Ref: refA, Spec: spec}
	tests := map[string]func(*executor.Workload){
		"empty id":      func(w *executor.Workload) { w.Ref.ID = "" },
		"dots":          func(w *executor.Workload) { w.Ref.ID = ".." },
		"slash":         func(w *executor.Workload) { w.Ref.ID = "a/b" },
		"nul":           func(w *executor.Workload) { w.Ref.ID = "a\x00" },
		"long":          func(w *executor.Workload) { w.Ref.ID = strings.Repeat("a", 65) },
		"leading dash":  func(w *executor.Workload) { w.Ref.ID = "-a" },
		"double dash":   func(w *executor.Workload) { w.Ref.ID = "a--b" },
		"attempt 0":     func(w *executor.Workload) { w.Ref.Attempt = 0 },
		"no spec":       func(w *executor.Workload) { w.Spec = nil },
		"big spec":      func(w *executor.Workload) { w.Spec = []byte(`"` + strings.Repeat("x", executor.MaxSpecSize) + `"`) },
		"relative path": func(w *executor.Workload) { w.Stdio.Stdout = executor.Stream{Kind: executor.StreamFile, Path: "out"} },
		"kind":          func(w *executor.Workload) { w.Stdio.Stdout = executor.Stream{Kind: "carrier pigeon", Path: "/out"} },
		"no kind":       func(w *executor.Workload) { w.Stdio.Stdout = executor.Stream{Path: "/out"} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			w := good
			spoil(&w)
			_, err := c.Create(t.Context(), w)
			if code := executor.CodeOf(err); code != executor.Invalid && code != executor.Unsupported {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
}

func TestCallsForOneIDAreSerial(t *testing.T) {
	h := newHarness(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	h.backend.create = func(context.Context, executor.Workload) (executor.Status, error) {
		entered <- struct{}{}
		<-leave
		return alive, nil
	}
	c := h.open(1, &fakeHost{})
	created := make(chan error, 1)
	go func() {
		_, err := c.Create(t.Context(), executor.Workload{Ref: refA, Spec: spec})
		created <- err
	}()
	<-entered
	if err := c.Delete(t.Context(), executor.Ref{ID: "b", Attempt: 1}); err != nil {
		t.Errorf("another id: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Delete(ctx, refA); !errors.Is(err, executor.OutcomeUnknown) {
		t.Errorf("same id: got %v, want to wait, and an unknown outcome", err)
	}
	entries := transport.Methods()
	i := slices.IndexFunc(entries, func(e transport.Entry) bool { return e.Name == transport.MethodDelete.Name })
	_, err := h.server.serve(ctx, h.server.current, entries[i], []byte(`{"id":"a","attempt":1}`)) // as it answers a host
	if !errors.Is(err, executor.OutcomeUnknown) {
		t.Errorf("same id, when its time is over: got %v, want an unknown outcome, since the earlier call may have done it", err)
	}
	if err := c.Signal(t.Context(), refA, syscall.SIGTERM); err != nil {
		t.Errorf("a signal does not wait: %v", err)
	}
	close(leave)
	if err := <-created; err != nil {
		t.Error(err)
	}
	if err := c.Delete(t.Context(), refA); err != nil {
		t.Errorf("same id, afterwards: %v", err)
	}
}

func TestNewerHostTakesOver(t *testing.T) {
	h := newHarness(t)
	old := h.open(1, &fakeHost{})
	h.open(2, &fakeHost{})
	select {
	case <-old.Done():
	case <-time.After(time.Minute):
		t.Error("the older host's connection was not ended")
	}
	late := h.dial(&fakeHost{})
	if _, err := late.Hello(t.Context(), transport.Hello{Protocol: transport.ProtocolVersion, Epoch: 1}); !errors.Is(err, executor.FailedPrecondition) {
		t.Errorf("hello with an older epoch: got %v, want failed precondition", err)
	}
}

func exited() executor.Status {
	code := 3
	return executor.Status{Ref: refA, State: executor.Exited, Exit: &executor.Exit{Code: &code, Source: executor.Observed}}
}

func TestExitIsDeliveredUntilAnswered(t *testing.T) {
	h := newHarness(t)
	first := &fakeHost{hang: make(chan struct{})}
	c := h.open(1, first)
	delivered := make(chan error, 1)
	go func() { delivered <- h.backend.host.Exited(context.Background(), exited()) }()
	c.Close() // the first host dies without an answer
	second := &fakeHost{failing: 1}
	h.open(2, second)
	select {
	case err := <-delivered:
		if err != nil {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the exit never arrived")
	}
	if len(second.exits) != 1 || *second.exits[0].Exit.Code != 3 {
		t.Errorf("the second host has %+v", second.exits)
	}
}

func TestSenselessReportIsRefused(t *testing.T) {
	h := newHarness(t)
	h.open(1, &fakeHost{})
	bad := exited()
	bad.Exit = nil
	if err := h.backend.host.Exited(t.Context(), bad); !errors.Is(err, executor.Invalid) {
		t.Errorf("got %v, want invalid", err)
	}
}

func TestSenselessReplyIsRefused(t *testing.T) {
	h := newHarness(t)
	c := h.open(1, &fakeHost{})
	for name, status := range map[string]executor.Status{
		"another container": {Ref: executor.Ref{ID: "other", Attempt: 1}, State: executor.Running},
		"no state":          {Ref: refA},
		"ended, no exit":    {Ref: refA, State: executor.Exited},
		"zero":              {},
	} {
		h.backend.create = func(context.Context, executor.Workload) (executor.Status, error) { return status, nil }
		if _, err := c.Create(t.Context(), executor.Workload{Ref: refA, Spec: spec}); !errors.Is(err, executor.OutcomeUnknown) {
			t.Errorf("%s: got %v, want outcome unknown", name, err)
		}
	}
}
