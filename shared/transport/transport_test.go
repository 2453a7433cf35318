package transport

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// pair connects two Conns through go-plugin's own protocol over a Unix socket.
func pair(t testing.TB, hostSide, pluginSide Handlers) (host, plugin *Conn) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	plugins := make(chan *Conn, 1)
	set := PluginSet(hclog.NewNullLogger(), func(c *Conn) Handlers {
		plugins <- c
		return pluginSide
	})
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		Serve(conn, set)
	}()
	raw, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	host, err = Connect(t.Context(), raw, func(*Conn) Handlers { return hostSide }, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	plugin = <-plugins
	t.Cleanup(func() {
		host.Close()
		plugin.Close()
		l.Close()
		<-served
	})
	return host, plugin
}

func echo() Handler {
	return handle(func(_ context.Context, s string) (string, error) { return s, nil })
}

func TestCallsGoBothWays(t *testing.T) {
	host, plugin := pair(t, Handlers{"up": echo()}, Handlers{"down": echo()})
	var got string
	if err := host.Call(t.Context(), "down", "a", &got); err != nil || got != "a" {
		t.Errorf("host to plugin: got %q, %v", got, err)
	}
	if err := plugin.Call(t.Context(), "up", "b", &got); err != nil || got != "b" {
		t.Errorf("plugin to host: got %q, %v", got, err)
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	fail := Handlers{"fail": handle(func(_ context.Context, code executor.Code) (None, error) {
		if code == "" {
			return None{}, errors.New("")
		}
		return None{}, executor.Errorf(code, "because of %s", code)
	})}
	host, plugin := pair(t, fail, fail)
	for name, conn := range map[string]*Conn{"host": host, "plugin": plugin} {
		for _, code := range []executor.Code{executor.NotFound, executor.AlreadyExists, executor.Invalid, executor.Unavailable,
			executor.FailedPrecondition, executor.Unsupported, executor.DeadlineExceeded, executor.CommandNotFound} {
			err := conn.Call(t.Context(), "fail", code, nil)
			if !errors.Is(err, code) || executor.CodeOf(err) != code || err.Error() != "because of "+string(code) {
				t.Errorf("%s: got %v (code %s), want code %s", name, err, executor.CodeOf(err), code)
			}
		}
		if err := conn.Call(t.Context(), "fail", "", nil); !errors.Is(err, executor.Internal) {
			t.Errorf("%s: an error without text: got %v, want code internal", name, err)
		}
		if err := conn.Call(t.Context(), "fail", executor.DeadlineExceeded, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want it to match context.DeadlineExceeded", name, err)
		}
		if err := conn.Call(t.Context(), "nonsense", nil, nil); !errors.Is(err, executor.Unsupported) {
			t.Errorf("%s: unknown method: got %v, want code unsupported", name, err)
		}
		if err := conn.Call(t.Context(), "fail", []int{1}, nil); !errors.Is(err, executor.Invalid) {
			t.Errorf("%s: malformed body: got %v, want code invalid", name, err)
		}
	}
}

func TestPanicBecomesAnError(t *testing.T) {
	boom := Handlers{"boom": handle(func(context.Context, None) (None, error) { panic("boom") }), "echo": echo()}
	host, plugin := pair(t, boom, boom)
	for name, conn := range map[string]*Conn{"host": host, "plugin": plugin} {
		err := conn.Call(t.Context(), "boom", None{}, nil)
		if !errors.Is(err, executor.Internal) || !strings.Contains(err.Error(), "boom") {
			t.Errorf("%s: got %v, want an internal error that names the panic", name, err)
		}
		var got string
		if err := conn.Call(t.Context(), "echo", "still here", &got); err != nil {
			t.Errorf("%s: after the panic: %v", name, err)
		}
	}
}

func TestDeadlineCrossesTheWire(t *testing.T) {
	left := make(chan time.Duration, 1)
	host, _ := pair(t, nil, Handlers{"left": handle(func(ctx context.Context, _ None) (None, error) {
		deadline, _ := ctx.Deadline()
		left <- time.Until(deadline)
		return None{}, nil
	})})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := host.Call(ctx, "left", None{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := <-left; got > time.Hour || got < 59*time.Minute {
		t.Errorf("handler had %s left, want almost 1h", got)
	}
}

func TestCancellationCrossesTheWire(t *testing.T) {
	var live atomic.Int64
	started := make(chan struct{}, 64)
	host, _ := pair(t, nil, Handlers{"hang": handle(func(ctx context.Context, _ None) (None, error) {
		live.Add(1)
		defer live.Add(-1)
		started <- struct{}{}
		<-ctx.Done()
		return None{}, ctx.Err()
	})})
	for i := range 500 {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- host.Call(ctx, "hang", None{}, nil) }()
		if i%2 == 0 {
			<-started // else: cancel races the call itself
		}
		cancel()
		err := <-result
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want context.Canceled", err)
		}
		for len(started) > 0 {
			<-started
		}
	}
	wait.Until(t, "no handler hangs whose call was cancelled", func() bool { return live.Load() == 0 })
}

func TestBrokenConnection(t *testing.T) {
	started := make(chan struct{})
	ended := make(chan struct{})
	host, plugin := pair(t, nil, Handlers{"hang": handle(func(ctx context.Context, _ None) (None, error) {
		close(started)
		defer close(ended)
		<-ctx.Done()
		return None{}, ctx.Err()
	})})
	result := make(chan error, 1)
	go func() { result <- host.Call(t.Context(), "hang", None{}, nil) }()
	<-started
	plugin.shut()
	if err := <-result; !errors.Is(err, executor.OutcomeUnknown) {
		t.Errorf("call that was under way: got %v, want outcome unknown", err)
	}
	<-ended
	<-host.Done()
	if err := host.Call(t.Context(), "hang", None{}, nil); !errors.Is(err, executor.Unavailable) {
		t.Errorf("call on a broken connection: got %v, want unavailable", err)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	host, plugin := pair(t, nil, Handlers{
		"echo": echo(),
		"huge": handle(func(context.Context, None) (string, error) { return strings.Repeat("x", MaxMessage), nil }),
	})
	if err := host.Call(t.Context(), "echo", strings.Repeat("x", MaxMessage), nil); !errors.Is(err, executor.Invalid) {
		t.Errorf("huge request: got %v, want invalid", err)
	}
	if err := host.Call(t.Context(), "huge", None{}, nil); !errors.Is(err, executor.Internal) {
		t.Errorf("huge reply: got %v, want internal", err)
	}
	var got string
	if err := host.Call(t.Context(), "echo", strings.Repeat("x", executor.MaxSpecSize), &got); err != nil {
		t.Errorf("largest spec: %v", err)
	}
	// A peer that exceeds it is cut off.
	go plugin.client.Go(methodDo, &Request{Method: "x", Body: make([]byte, MaxMessage+1)}, &Response{}, nil)
	select {
	case <-host.Done():
	case <-time.After(time.Minute):
		t.Error("a message over the limit did not end the connection")
	}
}

// TestGoldenEnvelope checks the envelope's encoding. It is a promise to executors
// that were built earlier: we must be able to read what they send, and they what we
// send. The files have what the first version sent, the types below are what it had.
func TestGoldenEnvelope(t *testing.T) {
	type request struct {
		ID          uint64
		Timeout     int64
		Method      string
		Traceparent string
		Body        []byte
	}
	type response struct {
		Code, Message string
		Body          []byte
	}
	type cancel struct{ ID uint64 }
	tests := []struct {
		file           string
		now, first     any // equal values
		nowTo, firstTo any // where to decode to
	}{
		{"request.gob",
			&Request{ID: 7, Timeout: 1500, Method: "create", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Body: []byte(`{"ref":{"id":"a","attempt":1}}`)},
			&request{ID: 7, Timeout: 1500, Method: "create", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Body: []byte(`{"ref":{"id":"a","attempt":1}}`)},
			&Request{}, &request{}},
		{"response.gob",
			&Response{Code: "not_found", Message: "no such container", Body: []byte("null")},
			&response{Code: "not_found", Message: "no such container", Body: []byte("null")},
			&Response{}, &response{}},
		{"cancel.gob", &CancelRequest{ID: 7}, &cancel{ID: 7}, &CancelRequest{}, &cancel{}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			frozen, err := os.ReadFile(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := gob.NewDecoder(bytes.NewReader(frozen)).Decode(tt.nowTo); err != nil || !reflect.DeepEqual(tt.nowTo, tt.now) {
				t.Errorf("what the first version sent is read as %+v, %v; want %+v", tt.nowTo, err, tt.now)
			}
			var sent bytes.Buffer
			if err := gob.NewEncoder(&sent).Encode(tt.now); err != nil {
				t.Fatal(err)
			}
			if err := gob.NewDecoder(&sent).Decode(tt.firstTo); err != nil || !reflect.DeepEqual(tt.firstTo, tt.first) {
				t.Errorf("the first version reads what is sent now as %+v, %v; want %+v", tt.firstTo, err, tt.first)
			}
		})
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	type later struct {
		ID     uint64
		Method string
		Body   []byte
		Extra  string
	}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(&later{ID: 1, Method: "m", Body: []byte("{}"), Extra: "new"}); err != nil {
		t.Fatal(err)
	}
	var got Request
	if err := gob.NewDecoder(&buf).Decode(&got); err != nil || got.Method != "m" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestTraceparent(t *testing.T) {
	host, _ := pair(t, nil, Handlers{"tp": handle(func(ctx context.Context, _ None) (string, error) { return Traceparent(ctx), nil })})
	var got string
	if err := host.Call(WithTraceparent(t.Context(), "00-a-b-01"), "tp", None{}, &got); err != nil || got != "00-a-b-01" {
		t.Errorf("got %q, %v", got, err)
	}
}

func BenchmarkSmallCall(b *testing.B) {
	host, _ := pair(b, nil, Handlers{"echo": echo()})
	var got string
	for b.Loop() {
		if err := host.Call(b.Context(), "echo", "x", &got); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreate20KB(b *testing.B) {
	host, _ := pair(b, nil, Handlers{MethodCreate.Name: handle(func(_ context.Context, w executor.Workload) (executor.Status, error) {
		return executor.Status{Ref: w.Ref, State: executor.Running}, nil
	})})
	spec, err := json.Marshal(strings.Repeat("x", 20<<10))
	if err != nil {
		b.Fatal(err)
	}
	w := executor.Workload{Ref: executor.Ref{ID: "a", Attempt: 1}, Spec: spec}
	for b.Loop() {
		if _, err := (Client{Conn: host}).Create(b.Context(), w); err != nil {
			b.Fatal(err)
		}
	}
}

// handle returns a handler for a typed function.
func handle[In, Out any](fn func(context.Context, In) (Out, error)) Handler {
	return (&Method[In, Out]{}).Handler(fn)
}
