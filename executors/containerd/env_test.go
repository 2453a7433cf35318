package containerd

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// fixture is a backend on a real containerd.
type fixture struct {
	t      *testing.T
	dir    string
	env    executor.Environment
	host   *realtest.Host
	b      *Backend
	rootfs string

	streams realtest.Streams
}

// newFixture opens a backend with the given config for the owner HOST/BACKEND.
func newFixture(t *testing.T, who string, config map[string]any, blocks ...executor.RuntimeSettings) *fixture {
	t.Helper()
	dir := realtest.Dir(t)
	f := &fixture{t: t, dir: dir, host: realtest.NewHost(), rootfs: realtest.Rootfs(t), streams: realtest.Streams{T: t, Dir: filepath.Join(dir, "io")}}
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	host, backend, _ := strings.Cut(who, "/")
	f.env = executor.Environment{
		HostID: host, Backend: backend,
		StateDir: filepath.Join(dir, "state"), RunDir: filepath.Join(dir, "run"),
		Settings: executor.Settings{Config: body, Runtimes: blocks},
	}
	for _, d := range []string{f.env.StateDir, f.env.RunDir, f.streams.Dir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	realtest.NothingLeft(t, oci.Owner{Host: host, Backend: backend}.Key())
	realtest.NothingLeft(t, dir)
	f.open()
	t.Cleanup(f.cleanup)
	return f
}

// on opens a backend on a running daemon.
func on(t *testing.T, d *realtest.Daemon, blocks ...executor.RuntimeSettings) *fixture {
	t.Helper()
	return newFixture(t, filepath.Base(d.Dir)+"/"+"b-"+filepath.Base(t.Name()), map[string]any{"address": d.Address}, blocks...)
}

// open opens the backend, or opens it again after it was closed.
func (f *fixture) open() {
	f.t.Helper()
	b, err := Open(realtest.Context(f.t), f.env, f.host)
	if err != nil {
		f.t.Fatal(err)
	}
	f.b = b
}

// crash ends the backend as if its process had been killed, as far as that can
// be done within one: nothing is tidied up.
func (f *fixture) crash() {
	f.t.Helper()
	_ = f.b.Backend.Close(context.Background())
	f.b.driver.conn.close()
	if f.b.driver.own != nil {
		f.b.driver.own.leave()
	}
}

// cleanup removes all containers and closes the backend.
func (f *fixture) cleanup() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	list, err := f.b.List(ctx)
	if err != nil {
		f.t.Errorf("list at the end: %v", err)
	}
	for _, st := range list {
		if err := f.b.driver.remove(ctx, st.Ref, nil); err != nil {
			f.t.Errorf("remove %s: %v", st.Ref, err)
		}
	}
	if left := realtest.Cgroups(f.b.driver.owner.Key()); len(left) > 0 {
		f.t.Errorf("the last container is gone, and not its backend's cgroup:\n%s", strings.Join(left, "\n"))
	}
	if err := f.b.Close(ctx); err != nil {
		f.t.Errorf("close: %v", err)
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
