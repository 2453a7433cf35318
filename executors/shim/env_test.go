package shim_test

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// fixture is a backend on real shims and runc.
type fixture struct {
	t      testing.TB
	dir    string
	env    executor.Environment
	host   *realtest.Host
	b      *shim.Backend
	rootfs string

	streams realtest.Streams
}

// newFixture opens a backend with the given config and runtimes.
func newFixture(t testing.TB, config map[string]any, blocks ...executor.RuntimeSettings) *fixture {
	t.Helper()
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	dir := realtest.Dir(t)
	f := &fixture{t: t, dir: dir, host: realtest.NewHost(), rootfs: realtest.Rootfs(t), streams: realtest.Streams{T: t, Dir: filepath.Join(dir, "io")}}
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	f.env = executor.Environment{
		HostID: filepath.Base(dir), Backend: "shim",
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"),
		Settings: executor.Settings{Config: body, Runtimes: blocks},
	}
	for _, d := range []string{f.env.StateDir, f.env.RunDir, f.streams.Dir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	f.open()
	realtest.NothingLeft(t, f.b.Key())
	realtest.NothingLeft(t, dir)
	t.Cleanup(f.cleanup)
	return f
}

// open opens the backend, or opens it again after it was closed.
func (f *fixture) open() {
	f.t.Helper()
	b, err := shim.Open(realtest.Context(f.t), "test", f.env, f.host)
	if err != nil {
		f.t.Fatal(err)
	}
	f.b = b
}

// cleanup removes all containers, closes the backend, and reports what is left.
func (f *fixture) cleanup() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	entries, err := os.ReadDir(filepath.Join(f.env.StateDir, "containers"))
	if err != nil {
		f.t.Error(err)
	}
	for _, e := range entries {
		if err := f.b.Remove(ctx, e.Name()); err != nil {
			f.t.Errorf("remove %s: %v", e.Name(), err)
		}
	}
	if left := realtest.Cgroups(f.b.Key()); len(left) > 0 {
		f.t.Errorf("the last container is gone, and not its backend's cgroup:\n%s", strings.Join(left, "\n"))
	}
	if err := f.b.Close(ctx); err != nil {
		f.t.Errorf("close: %v", err)
	}
	for _, glob := range []string{"state/containers/*", "state/containers/.*", "run/*.sock", "run/runc/*/*"} {
		left, _ := filepath.Glob(filepath.Join(f.dir, glob))
		for _, name := range left {
			if filepath.Base(name) != "events.sock" {
				f.t.Errorf("left behind: %s", name)
			}
		}
	}
}

func (f *fixture) resolve(name string) executor.Runtime {
	f.t.Helper()
	rt, err := f.b.ResolveRuntime(f.t.Context(), name)
	if err != nil {
		f.t.Fatalf("resolve runtime %q: %v", name, err)
	}
	return rt
}

// workload returns a request for a shell script.
func (f *fixture) workload(ref executor.Ref, runtime, script string) executor.Workload {
	f.t.Helper()
	return executor.Workload{
		Ref:     ref,
		Spec:    realtest.Spec(f.t, f.rootfs, nil, "/bin/sh", "-c", script),
		Runtime: f.resolve(runtime),
		Stdio:   executor.Stdio{Stdout: f.streams.File(ref, "out"), Stderr: f.streams.File(ref, "err")},
	}
}

// run creates a container of a script.
func (f *fixture) run(ref executor.Ref, runtime, script string) executor.Status {
	f.t.Helper()
	st, err := f.b.Create(f.t.Context(), f.workload(ref, runtime, script))
	if err != nil {
		f.t.Fatalf("create %s: %v", ref, err)
	}
	return st
}

func first(id string) executor.Ref { return executor.Ref{ID: id, Attempt: 1} }

// shims are the shims that tests run with, each by a runtime of its name.
func shims(t testing.TB) []executor.RuntimeSettings {
	t.Helper()
	var blocks []executor.RuntimeSettings
	for _, s := range []struct{ name, path string }{
		{"v2-1.6", "/usr/bin/containerd-shim-runc-v2"},
		{"v1-1.6", "/usr/bin/containerd-shim-runc-v1"},
		{"v2-1.7", filepath.Join(realtest.Bin(t, realtest.V17), "containerd-shim-runc-v2")},
		{"v1-1.7", filepath.Join(realtest.Bin(t, realtest.V17), "containerd-shim-runc-v1")},
		{"v2-2.3", filepath.Join(realtest.ShimBin(t, "2.3.7"), "containerd-shim-runc-v2")},
		{"v2-2.4", filepath.Join(realtest.Bin(t, realtest.V24), "containerd-shim-runc-v2")},
	} {
		body, err := json.Marshal(map[string]string{"shim": s.path})
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, executor.RuntimeSettings{Name: s.name, Body: body})
	}
	return blocks
}

// chosen are the shims of a quick run: one of the first generation, and two of the
// second, which are started in the way before containerd 2.3 and in the way since.
// The others are for `make matrix`.
var chosen = []string{"v1-1.7", "v2-1.6", "v2-2.4"}

// everyShim runs a test with davit's own shim and with others, at once: it waits most of
// the time.
func everyShim(t *testing.T, test func(t *testing.T, f *fixture, runtime string)) {
	ownShimAnd(t, chosen, test)
}

// ownShimAnd runs a test with davit's own shim and those of a quick run that are named. The
// matrix has all of them.
func ownShimAnd(t *testing.T, named []string, test func(t *testing.T, f *fixture, runtime string)) {
	with := func(runtime string, blocks ...executor.RuntimeSettings) {
		t.Run(cmp.Or(runtime, "own"), func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, nil, blocks...), runtime)
		})
	}
	with("")
	for _, block := range shims(t) {
		if realtest.Matrix() || slices.Contains(named, block.Name) {
			with(block.Name, block)
		}
	}
}
