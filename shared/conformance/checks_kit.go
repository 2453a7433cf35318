package conformance

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// These checks are about what the plugin kit does for every executor that is built
// with it. They guard the kit, and executors that do without it.
var _ = register(900, transport.MethodHello.Name,
	Check{Name: "hello", run: checkHello, wireOnly: true,
		Duty: "Nothing is served before Hello and Open, a host of another protocol is refused, and a newer host takes over from an older one.",
		Hint: "The kit does this: serve with plugin.Serve."},
	Check{Name: "open-twice", run: checkOpenTwice, wireOnly: true,
		Duty: "Opening with an equal environment changes nothing, and with another one is FailedPrecondition.",
		Hint: "The kit does this: serve with plugin.Serve."},
	Check{Name: "arguments", run: checkArguments, wireOnly: true,
		Duty: "Ids, attempts, signals, streams and sizes that make no sense are refused as Invalid.",
		Hint: "The kit does this: serve with plugin.Serve."},
	Check{Name: "undeclared", run: checkUndeclared, wireOnly: true,
		Duty: "A capability that is not declared answers Unsupported.",
		Hint: "The kit does this: serve with plugin.Serve."},
)

// dial returns a connection of another host, which has not said hello.
func (t *trial) dial(s *subject) transport.Client {
	ctx, cancel := s.bounded()
	defer cancel()
	client, err := s.link.(*wire).dial(ctx, newTestHost())
	t.must(err, "connecting")
	return client
}

func checkHello(t *trial) {
	s := t.open()
	epoch := s.link.(*wire).epoch
	ctx, cancel := s.bounded()
	defer cancel()

	other := t.dial(s)
	defer other.Close()
	_, err := other.List(ctx)
	t.wantCode(err, "List before Hello", executor.FailedPrecondition)
	_, err = other.Hello(ctx, transport.Hello{Protocol: transport.ProtocolVersion + 1000, Epoch: epoch + 1})
	t.wantCode(err, "Hello of another protocol", executor.Unsupported)
	_, err = other.Hello(ctx, transport.Hello{Protocol: transport.ProtocolVersion, Epoch: epoch - 1})
	t.wantCode(err, "Hello of an older host", executor.FailedPrecondition)
	s.List() // the first host is still served

	reply, err := other.Hello(ctx, transport.Hello{Protocol: transport.ProtocolVersion, Epoch: epoch + 1})
	t.must(err, "Hello of a newer host")
	if reply.Opened == nil || reply.Opened.Backend != s.env.Backend {
		t.errorf("Hello to an executor with an open backend says that this is open: %+v", reply.Opened)
	}
	_, err = other.List(ctx)
	t.must(err, "List by a newer host")
	select {
	case <-s.link.(*wire).client.Done():
	case <-time.After(t.target.Patience):
		t.errorf("the older host's connection was not ended")
	}
	s.link.(*wire).epoch++
}

func checkOpenTwice(t *trial) {
	s := t.open()
	w := s.launch(untilGo, Step{Action: Exit, N: 7})
	ctx, cancel := s.bounded()
	defer cancel()
	client := s.link.(*wire).client
	_, err := transport.MethodOpen.Call(ctx, client, s.env)
	t.must(err, "Open with an equal environment")
	other := s.env
	other.Backend = "two"
	_, err = transport.MethodOpen.Call(ctx, client, other)
	t.wantCode(err, "Open with another environment", executor.FailedPrecondition)
	t.wantRunning(s.List()[w.Ref], "List afterwards")
	w.touch("go")
	s.wantExit(w, 7)
}

func checkArguments(t *trial) {
	s := t.open()
	good := t.workload(s, untilGo)
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/", "a\x00", "-a", "a-", "a--b", "A", "a b", "é", strings.Repeat("a", executor.MaxIDLength+1)} {
		t.refuses(s, good, func(w *executor.Workload) { w.Ref.ID = id }, "the id %.20q", id)
	}
	for _, attempt := range []int{0, -1} {
		t.refuses(s, good, func(w *executor.Workload) { w.Ref.Attempt = attempt }, "the attempt %d", attempt)
	}
	for _, sig := range []executor.Signal{0, -1, 65} {
		t.wantCode(s.Signal(good.Ref, sig), "Signal "+sig.String(), executor.Invalid)
	}
	streams := map[string]executor.Stream{
		"a relative path":       {Kind: executor.StreamFile, Path: "out"},
		"no path":               {Kind: executor.StreamFile},
		"a path without a kind": {Path: good.stdout},
		"an unknown kind":       {Kind: "carrier pigeon", Path: good.stdout},
	}
	for name, stream := range streams {
		w := good.Workload
		w.Stdio.Stdout = stream
		_, err := s.Create(t.ctx, w)
		t.wantCode(err, "Create with a stream of "+name, executor.Invalid, executor.Unsupported)
	}
	big := good.Workload
	big.Spec = []byte(`{"x":"` + strings.Repeat("x", executor.MaxSpecSize) + `"}`)
	_, err := s.Create(t.ctx, big)
	t.wantCode(err, "Create with a spec above the limit", executor.Invalid)
	if listed := s.List(); len(listed) != 0 {
		t.errorf("after all was refused, List shows %q", refs(listed))
	}
}

// refuses reports methods that accept a senseless ref.
func (t *trial) refuses(s *subject, good *workload, spoil func(*executor.Workload), format string, args ...any) {
	w := good.Workload
	spoil(&w)
	what := " with " + fmt.Sprintf(format, args...)
	_, err := s.Create(t.ctx, w)
	t.wantCode(err, "Create"+what, executor.Invalid)
	_, err = s.Restore(w.Ref, w.Stdio)
	t.wantCode(err, "Restore"+what, executor.Invalid)
	t.wantCode(s.Signal(w.Ref, 9), "Signal"+what, executor.Invalid)
	t.wantCode(s.Delete(w.Ref), "Delete"+what, executor.Invalid)
}

func checkUndeclared(t *trial) {
	s := t.open()
	ctx, cancel := s.bounded()
	defer cancel()
	for _, method := range transport.BackendMethods() {
		if method.Capability != "" && !s.has(method.Capability) {
			// This bypasses the client, which would not even send it.
			err := s.link.(*wire).client.Call(ctx, method.Name, method.Request, nil)
			t.wantCode(err, "a call of "+method.Name, executor.Unsupported)
		}
	}
	if s.has(executor.CapExec) {
		return
	}
	w := s.launch(untilGo)
	exec := w.Ref
	exec.Exec = "x"
	err := s.link.(*wire).client.Call(ctx, transport.MethodSignal.Name, transport.SignalRequest{Ref: exec, Signal: syscall.SIGKILL}, nil)
	t.wantCode(err, "Signal to another process of the attempt", executor.Unsupported)
	t.wantRunning(s.List()[w.Ref], "List afterwards")
}
