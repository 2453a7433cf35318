package backends

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/rigs/asexecutor"
	"github.com/davit-run/davit/shared/conformance/memory"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/plugin"
	"github.com/davit-run/davit/shared/transport"
	"github.com/hashicorp/go-hclog"
)

// The test binary is also two executors: one that can pause, and one that cannot.
func TestMain(m *testing.M) {
	asexecutor.Serve(func(name string) {
		e := memory.NewProcesses()
		if name == "plain" {
			e = withoutUpgrades(e)
		}
		plugin.Serve(e)
	})
	os.Exit(m.Run())
}

func withoutUpgrades(e executor.Executor) executor.Executor {
	e.Name, e.Prototype = "plain", nil
	open := e.Open
	e.Open = func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
		b, err := open(ctx, env, host)
		return struct{ executor.Backend }{b}, err
	}
	return e
}

type deafHost struct{}

func (deafHost) Exited(context.Context, executor.Status) error                 { return nil }
func (deafHost) Released(context.Context, executor.Ref, executor.Output) error { return nil }

// start starts backends by the names of their executors, until the test ends.
func start(t *testing.T, executors ...string) *Set {
	t.Helper()
	dir := asexecutor.Dir(t, executors...)
	cfg := config.Config{StateDir: dir, RunDir: filepath.Join(dir, "run"), ExecutorDirs: []string{filepath.Join(dir, "bin")}}.WithDefaults()
	for _, name := range executors {
		cfg.Backends = append(cfg.Backends, config.Backend{Name: name, Executor: name})
	}
	s := New(cfg, Options{
		HostID: "h", Hello: transport.Hello{Epoch: 1}, Logger: hclog.NewNullLogger(),
		Reports: func(string) executor.Host { return deafHost{} },
		Ready:   func(context.Context, *Session) error { return nil },
		Journal: func(context.Context, store.Event) error { return nil },
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, b := range s.All() {
			if err := b.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
		s.Close()
	})
	for _, name := range executors {
		if _, err := s.Session(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCallNamesABackendThatCan(t *testing.T) {
	s := start(t, "memory", "plain")
	ref := executor.Ref{ID: "a", Attempt: 1}
	_, err := Call(t.Context(), s, "plain", transport.MethodPause, ref)
	want := "backend plain (executor plain) does not offer pause; backend memory does"
	if !errors.Is(err, executor.Unsupported) || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
	if _, err := Call(t.Context(), s, "memory", transport.MethodPause, ref); !errors.Is(err, executor.NotFound) {
		t.Errorf("a backend that can: got %v, want that it was asked", err)
	}
	if _, err := Call(t.Context(), s, "none", transport.MethodList, transport.None{}); !errors.Is(err, executor.Unavailable) {
		t.Errorf("a backend that is gone: got %v, want unavailable", err)
	}
}

func TestCallAsksTheNextExecutor(t *testing.T) {
	s := start(t, "memory")
	for range 3 {
		session, err := s.Session(t.Context(), "memory")
		if err != nil {
			t.Fatal(err)
		}
		process, err := os.FindProcess(s.All()["memory"].Info().PID)
		if err != nil {
			t.Fatal(err)
		}
		if err := process.Kill(); err != nil {
			t.Fatal(err)
		}
		if infos, err := Call(t.Context(), s, "memory", transport.MethodRuntimeList, transport.None{}); err != nil || len(infos) == 0 {
			t.Errorf("got %v, %v, want the answer of the next executor", infos, err)
		}
		<-session.Done()
	}
}
