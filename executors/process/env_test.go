package process_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/process"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// fixture is a backend with a host that keeps the reports that it receives.
type fixture struct {
	t    testing.TB
	env  executor.Environment
	host *fakeHost
	b    *process.Backend

	streams realtest.Streams
}

// newFixture returns a backend, and checks that nothing of it is left at the end.
func newFixture(t testing.TB, config string) *fixture {
	t.Helper()
	f := makeFixture(t, config)
	mark := filepath.Base(f.path()) // in the command lines of workloads
	if os.Geteuid() == 0 {
		mark = f.b.Key() // in the names of their cgroups
	}
	realtest.NothingLeft(t, mark)
	t.Cleanup(f.cleanup)
	return f
}

// makeFixture is newFixture without the look at the whole machine, for many.
func makeFixture(t testing.TB, config string) *fixture {
	t.Helper()
	f := &fixture{t: t, host: &fakeHost{exits: map[executor.Ref]executor.Status{}, released: map[executor.Ref]executor.Output{}}}
	dir := realtest.Dir(t)
	f.streams = realtest.Streams{T: t, Dir: filepath.Join(dir, "io")}
	f.env = executor.Environment{
		HostID: dir, Backend: "process", StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"),
		Settings: executor.Settings{Config: json.RawMessage(config)},
	}
	for _, d := range []string{f.env.StateDir, f.env.RunDir, f.streams.Dir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.open()
	return f
}

func (f *fixture) path(elem ...string) string {
	return filepath.Join(append([]string{filepath.Dir(f.env.StateDir)}, elem...)...)
}

func (f *fixture) open() {
	f.t.Helper()
	b, err := process.Open(realtest.Context(f.t), f.env, f.host)
	if err != nil {
		f.t.Fatal(err)
	}
	f.b = b
}

// cleanup removes all containers and reports what is left.
func (f *fixture) cleanup() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	wait.Holds(func() bool {
		list, err := f.b.List(ctx)
		if err != nil {
			f.t.Error(err)
		}
		for _, st := range list {
			if !st.State.Ended() {
				_ = f.b.Signal(ctx, st.Ref, 9)
			}
			_ = f.b.Delete(ctx, st.Ref)
		}
		return len(list) == 0
	})
	if left := realtest.Cgroups(f.b.Key()); len(left) > 0 {
		f.t.Errorf("the last container is gone, and not its backend's cgroup:\n%s", strings.Join(left, "\n"))
	}
	if err := f.b.Close(ctx); err != nil {
		f.t.Error(err)
	}
	left, _ := filepath.Glob(f.path("state/containers/*"))
	if len(left) > 0 {
		f.t.Errorf("left behind: %q", left)
	}
}

// command returns a spec of a shell script on the host's own files.
func command(script string) *specs.Spec {
	return &specs.Spec{
		Version: "1.0.2",
		Root:    &specs.Root{Path: "/"},
		Process: &specs.Process{Args: []string{"/bin/sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"}},
	}
}

func (f *fixture) workload(ref executor.Ref, spec *specs.Spec) executor.Workload {
	f.t.Helper()
	raw, err := json.Marshal(spec)
	if err != nil {
		f.t.Fatal(err)
	}
	return executor.Workload{Ref: ref, Spec: raw, Stdio: executor.Stdio{Stdout: f.streams.File(ref, "out"), Stderr: f.streams.File(ref, "err")}}
}

// run creates a container.
func (f *fixture) run(ref executor.Ref, spec *specs.Spec) executor.Status {
	f.t.Helper()
	st, err := f.b.Create(f.t.Context(), f.workload(ref, spec))
	if err != nil {
		f.t.Fatalf("create %s: %v", ref, err)
	}
	return st
}

func first(id string) executor.Ref { return executor.Ref{ID: id, Attempt: 1} }

// fakeHost is a host that keeps the reports that it receives.
type fakeHost struct {
	mu       sync.Mutex
	exits    map[executor.Ref]executor.Status
	released map[executor.Ref]executor.Output
	onEnd    chan executor.Ref // if set, gets what is released
}

func (h *fakeHost) Exited(_ context.Context, st executor.Status) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.exits[st.Ref]; !ok {
		h.exits[st.Ref] = st
	}
	return nil
}

func (h *fakeHost) Released(_ context.Context, ref executor.Ref, out executor.Output) error {
	h.mu.Lock()
	h.released[ref] = out
	onEnd := h.onEnd
	h.mu.Unlock()
	if onEnd != nil {
		onEnd <- ref
	}
	return nil
}

// wait waits until an attempt is released.
func (f *fixture) wait(ref executor.Ref) (exit executor.Exit, out executor.Output) {
	f.t.Helper()
	wait.Until(f.t, ref.String()+" is released", func() bool {
		f.host.mu.Lock()
		defer f.host.mu.Unlock()
		o, ok := f.host.released[ref]
		if ok {
			exit, out = *f.host.exits[ref].Exit, o
		}
		return ok
	})
	return exit, out
}

// specConfig returns what is wrong with a config.
func specConfig(config string) []executor.Diagnostic {
	e := process.Executor("test")
	return e.Validate(executor.Settings{Config: json.RawMessage(config)})
}
