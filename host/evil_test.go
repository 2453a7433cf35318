package host

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"net/rpc"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/supervisor"
	"github.com/davit-run/davit/host/rigs/asexecutor"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
)

const evilPrefix = "evil-"

// liar is the executor that says yes to every Create, about another container.
const liar = "liar"

// forgetful is an executor that has containers and lists none.
const forgetful = "forgetful"

func serveForgetful() {
	e := memory.NewProcesses()
	open := e.Open
	e.Prototype = nil
	e.Open = func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
		backend, err := open(ctx, env, host)
		return listless{backend}, err
	}
	plugin.Serve(e)
}

// listless is a backend without upgrades that lists nothing.
type listless struct{ executor.Backend }

func (listless) List(context.Context) ([]executor.Status, error) { return nil, nil }

// evilReplies are what executors answer when they are asked for runtimes.
func evilReplies() map[string]func() any {
	raw := func(text string) func() any { return func() any { return json.RawMessage(text) } }
	return map[string]func() any{
		"huge":   func() any { return strings.Repeat("x", transport.MaxMessage-8192) },
		"deep":   raw(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)),
		"deeper": raw(strings.Repeat(`{"exit":`, 9000) + "1" + strings.Repeat("}", 9000)),
		"keys": func() any { // many small things, as a map
			var b bytes.Buffer
			for i := range 500_000 {
				fmt.Fprintf(&b, `,"%d":{}`, i)
			}
			return json.RawMessage("{" + b.String()[1:] + "}")
		},
		"type":   raw(`[1, "two", {"three": 3}]`),
		"none":   raw("null"),
		"lies":   raw(`{"ref": {"id": "../../etc", "attempt": -1}, "state": "running", "pid": 1}`),
		"number": raw(`{"ref": {"id": "a", "attempt": 1e400}, "pid": 99999999999999999999}`),
	}
}

// serveEvil serves an executor that opens well and then answers what it should not.
func serveEvil(name string) {
	switch name {
	case "map-bomb", "length":
		serveBomb(name)
		return
	case forgetful:
		serveForgetful()
		return
	}
	caps := []executor.Capability{executor.CapRuntimeList, executor.CapRuntimeResolve}
	create := func(context.Context, []byte) (any, error) {
		return nil, executor.Errorf(executor.Unsupported, "%s", strings.Repeat("no", 1<<20))
	}
	var reply any
	if name == liar {
		caps = nil
		create = func(context.Context, []byte) (any, error) {
			return executor.Status{Ref: executor.Ref{ID: "0123456789abcdef", Attempt: 7}, State: executor.Running, PID: 1}, nil
		}
	} else {
		reply = evilReplies()[name]()
	}
	logger := hclog.NewNullLogger()
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: transport.Handshake(), Logger: logger,
		Plugins: transport.PluginSet(logger, func(conn *transport.Conn) transport.Handlers {
			evil := func(context.Context, []byte) (any, error) { return reply, nil }
			return transport.Handlers{
				transport.MethodHello.Name: func(context.Context, []byte) (any, error) {
					return transport.HelloReply{Protocol: transport.ProtocolVersion, Description: executor.Description{Name: name, Version: "1"}}, nil
				},
				transport.MethodValidate.Name: func(context.Context, []byte) (any, error) { return []executor.Diagnostic{}, nil },
				transport.MethodOpen.Name: func(context.Context, []byte) (any, error) {
					return transport.OpenReply{Capabilities: caps}, nil
				},
				transport.MethodClose.Name: func(context.Context, []byte) (any, error) {
					go func() { // the host has the answer then
						<-conn.Done()
						os.Exit(0)
					}()
					return transport.None{}, nil
				},
				transport.MethodList.Name:           func(context.Context, []byte) (any, error) { return []executor.Status{}, nil },
				transport.MethodRuntimeList.Name:    evil,
				transport.MethodRuntimeResolve.Name: evil,
				transport.MethodCreate.Name:         create,
			}
		}),
	})
}

// serveBomb answers the first call by bytes that are no answer.
func serveBomb(name string) {
	var bomb bytes.Buffer
	switch name {
	case "map-bomb":
		// A header as it should be, and then a map whose type and size cost a
		// hundred bytes, and a naive reader hundreds of megabytes.
		enc := gob.NewEncoder(&bomb)
		_ = enc.Encode(&rpc.Response{ServiceMethod: "Davit.Do", Seq: 0})
		_ = enc.Encode(struct {
			Body map[string][]map[string]string
		}{map[string][]map[string]string{"a": {{"b": "c"}}}})
		text := bomb.Bytes()
		copy(text[len(text)-9:], []byte{0xfc, 0x7f, 0xff, 0xff, 0xff})
	case "length":
		bomb.Write([]byte{0xf8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: transport.Handshake(), Logger: hclog.NewNullLogger(),
		Plugins: goplugin.PluginSet{"executor": bomber(bomb.Bytes())},
	})
}

// bomber is a plugin that knows the numbers of the streams.
type bomber []byte

func (b bomber) Server(broker *goplugin.MuxBroker) (any, error) {
	go func() {
		_, _ = broker.Dial(0x44415602)
	}()
	go func() {
		conn, err := broker.Accept(0x44415601)
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 1))
		_, _ = conn.Write(b)
	}()
	return &pinger{}, nil
}

func (b bomber) Client(*goplugin.MuxBroker, *rpc.Client) (any, error) { return nil, nil }

type pinger struct{}

// Ping does nothing; net/rpc refuses a type without methods.
func (*pinger) Ping(struct{}, *struct{}) error { return nil }

// Whatever an executor answers, its own backend fails with a message, the host
// lives and stays small, and other backends work.
func TestEvilReplyCostsItsBackendAlone(t *testing.T) {
	cfg := testConfig(t)
	names := []string{"map-bomb", "length"}
	for name := range evilReplies() {
		names = append(names, name)
	}
	for _, name := range names {
		addEvil(t, &cfg, name)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			// Much more than what is needed, and much less than for ever. Under the race
			// detector, on a machine that is busy with others, the largest replies take
			// half a minute each, and several of them are asked for.
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
			defer cancel()
			bomb := name == "map-bomb" || name == "length"
			if err := h.WaitBackend(ctx, name); !bomb && err != nil {
				t.Errorf("the backend is not even opened: %v", err)
			}
			opts := program(t, "exit 0")
			opts.Backend = name
			if c, err := h.Create(ctx, opts); err == nil {
				t.Errorf("create: got %+v, want an error", c)
			} else if len(err.Error()) > 20<<10 || ctx.Err() != nil {
				t.Errorf("create: got an error of %d bytes, %v", len(err.Error()), ctx.Err())
			}
			if _, err := h.Runtimes(ctx, name); err == nil && name != "none" { // which is an empty list
				t.Error("runtimes: got no error")
			}
			good := mustCreate(t, h, program(t, "exit 3"))
			wantCode(t, mustWait(t, h, good.ID), 3)
		})
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 1<<30 {
		t.Errorf("the host has grown by %d MiB", grown>>20)
	}
}

// addEvil adds a backend with an evil executor.
func addEvil(t *testing.T, cfg *config.Config, name string) {
	t.Helper()
	asexecutor.Add(t, cfg.ExecutorDirs[0], evilPrefix+name)
	cfg.Backends = append(cfg.Backends, config.Backend{Name: name, Executor: evilPrefix + name})
}

// That a list lacks a container does not make it lost, while the executor knows it
// when it is asked.
func TestUnlistedContainerIsNotLost(t *testing.T) {
	cfg := testConfig(t)
	addEvil(t, &cfg, forgetful)
	h := openHost(t, cfg)
	defer stopHost(t, h)
	gate := filepath.Join(t.TempDir(), "gate")
	opts := program(t, "await "+gate, "exit 4")
	opts.Backend = forgetful
	c := mustCreate(t, h, opts)
	if err := syscall.Kill(h.backends.All()[forgetful].Info().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wait.Until(t, "the executor is replaced", func() bool {
		b := h.backends.All()[forgetful].Info()
		return b.Starts == 2 && b.State == supervisor.Ready
	})
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, mustWait(t, h, c.ID), 4)
}

// An executor whose answers to Create are no answers is replaced after a few, and
// then its backend fails for all to see. Nobody waits for the time that a create may
// take.
func TestLyingExecutorIsReplaced(t *testing.T) {
	cfg := testConfig(t)
	addEvil(t, &cfg, liar)
	h := openHost(t, cfg)
	defer func() { // of the liar's container nothing can be known, so it stays
		for _, b := range h.backends.All() {
			_ = b.Stop(t.Context())
		}
		_ = h.Close()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), transport.Start/2)
	defer cancel()
	opts := program(t, "exit 0")
	opts.Backend = liar
	c, err := h.Create(ctx, opts)
	if !errors.Is(err, executor.OutcomeUnknown) || ctx.Err() != nil {
		t.Fatalf("create: got %+v, %v (%v), want an unknown outcome", c, err, ctx.Err())
	}
	wait.Until(t, "the backend fails", func() bool { return h.backends.All()[liar].Info().State == supervisor.Failed })
	b := h.backends.All()[liar].Info()
	if want := "create: the executor's reply makes no sense: it is about 0123456789abcdef/7"; b.Starts < 2 || !strings.Contains(b.LastError, want) {
		t.Errorf("got %d starts and error %q, want more than one, and %q", b.Starts, b.LastError, want)
	}
	good := mustCreate(t, h, program(t, "exit 3"))
	wantCode(t, mustWait(t, h, good.ID), 3)
}
