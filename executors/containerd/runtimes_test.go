package containerd

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

func runtimeBlock(t *testing.T, name string, body map[string]any) executor.RuntimeSettings {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return executor.RuntimeSettings{Name: name, Body: b}
}

// TestPathRuntimes runs OCI binaries by path, with and without args, on each shim
// that takes one.
func TestPathRuntimes(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		d := startDaemon(t, version)
		dir := realtest.Dir(t)
		// An OCI binary that logs how it is called.
		calls := filepath.Join(dir, "calls")
		spy := filepath.Join(dir, "spy")
		if err := linux.WriteProgram(spy, []byte("#!/bin/sh\necho \"$@\" >> "+calls+"\nwhile [ \"$1\" = --mark ]; do shift 2; done\nexec runc \"$@\"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		var blocks []executor.RuntimeSettings
		for _, shim := range served[version] {
			body := map[string]any{"path": spy, "args": []string{"--mark", "a b"}}
			if shim != "runc" {
				body["shim"] = shim
			}
			blocks = append(blocks, runtimeBlock(t, "spy-"+id(shim), body))
		}
		f := on(t, d, blocks...)
		for _, b := range blocks {
			f.run(first(b.Name), b.Name, "echo out; exit 6")
			if exit, out := f.host.WaitReleased(t, first(b.Name)); *exit.Code != 6 || out != executor.Complete || f.streams.Output(first(b.Name), "out") != "out\n" {
				t.Errorf("%s: got %+v, %s", b.Name, exit, out)
			}
			got, err := os.ReadFile(calls)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"--mark a b ", " create ", "--root " + filepath.Join(f.env.RunDir, "runc", "davit")} {
				if !strings.Contains(string(got), want) {
					t.Errorf("%s: no %q in the calls:\n%s", b.Name, want, got)
				}
			}
			if err := os.Remove(calls); err != nil {
				t.Fatal(err)
			}
			if err := f.b.Delete(t.Context(), first(b.Name)); err != nil {
				t.Error(err)
			}
		}
		// A script goes with its last container.
		if s := f.scripts(); len(s) != 1 { // all shims call the same one
			t.Errorf("scripts: got %q, want one", s)
		}
		f.crash()
		f.open()
		if s := f.scripts(); len(s) != 0 {
			t.Errorf("scripts that nobody uses: %q", s)
		}
	})
}

func (f *fixture) scripts() []string {
	s, err := filepath.Glob(filepath.Join(f.b.driver.wrappers(), "*"))
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// TestScriptOutlivesConfig changes the config under a container that runs.
func TestScriptOutlivesConfig(t *testing.T) {
	t.Parallel()
	runc, err := exec.LookPath("runc")
	if err != nil {
		t.Skip(err)
	}
	f := on(t, startDaemon(t, realtest.V16), runtimeBlock(t, "x", map[string]any{"path": runc, "args": []string{"--debug"}}))
	ref := first("x")
	rt := f.resolve("x")
	f.run(ref, "x", untilTerm)
	f.streams.WaitOutput(ref, "out", "ready")
	f.crash()
	f.env.Settings.Runtimes = nil
	f.open()
	if len(f.scripts()) != 1 {
		t.Errorf("the script of a running container is gone")
	}
	if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
		t.Fatal(err)
	}
	if err := f.b.Signal(t.Context(), ref, 15); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 9 {
		t.Errorf("got %+v", exit)
	}
	// The next attempt does not need the config.
	w := f.workload(executor.Ref{ID: "x", Attempt: 2}, "", "exit 2")
	w.Runtime = rt
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.host.WaitReleased(t, w.Ref); *exit.Code != 2 {
		t.Errorf("got %+v", exit)
	}
}

func TestRefusedRuntimes(t *testing.T) {
	t.Parallel()
	dir := realtest.Dir(t)
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := on(t, realtest.Start(t, realtest.V24),
		runtimeBlock(t, "absent", map[string]any{"path": filepath.Join(dir, "nope")}),
		runtimeBlock(t, "unknown-name", map[string]any{"path": "no-such-runtime"}),
		runtimeBlock(t, "plain", map[string]any{"path": plain}),
		runtimeBlock(t, "kata", map[string]any{"shim": "io.containerd.kata.v2"}),
		runtimeBlock(t, "absent-shim", map[string]any{"shim": filepath.Join(dir, "nope")}),
	)
	for _, tt := range []struct {
		name string
		code executor.Code
		says string
	}{
		{"absent", executor.FailedPrecondition, "does not exist"},
		{"unknown-name", executor.FailedPrecondition, "not on the PATH"},
		{"plain", executor.FailedPrecondition, "not an executable file"},
		{"kata", executor.FailedPrecondition, "containerd-shim-kata-v2 is neither on containerd's PATH"},
		{"absent-shim", executor.FailedPrecondition, "the shim's binary " + filepath.Join(dir, "nope") + " does not exist; install it there"},
		{runtimes.ShimRuncV1, executor.FailedPrecondition, "install the one of containerd 1.7"},
		{runtimes.ShimLinuxV1, executor.FailedPrecondition, "ended with containerd 1.7; use io.containerd.runc.v2"},
		{"rnuc", executor.NotFound, "did you mean runc?"},
		{"io.containerd.runsc.v1", executor.NotFound, "allow_unconfigured_shims"},
		{"/bin/sh", executor.NotFound, "no runtime"},
	} {
		_, err := f.b.ResolveRuntime(t.Context(), tt.name)
		if _, beside := os.Stat(filepath.Join(realtest.Bin(t, realtest.V24), "containerd-shim-runc-v1")); tt.name == runtimes.ShimRuncV1 && beside == nil {
			if err != nil {
				t.Errorf("%s: got %v, although the shim is beside the daemon", tt.name, err)
			}
			continue
		}
		if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %s: %v; want %s with %q", tt.name, executor.CodeOf(err), err, tt.code, tt.says)
		}
	}

	infos, err := f.b.Runtimes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	problems := make(map[string]bool)
	for _, info := range infos {
		problems[info.Name] = info.Problem != ""
		if info.Name == "runc" && (!info.Default || info.Version == "" || info.Resolved == nil) {
			t.Errorf("runc: got %+v", info)
		}
	}
	if problems["runc"] || !problems["plain"] || !problems[runtimes.ShimLinuxV1] || len(infos) != 9 {
		t.Errorf("list: got %+v", infos)
	}

	// The stock runtimes that this daemon cannot serve are no findings.
	found, err := f.b.Check(t.Context())
	if err != nil || len(found) != 5 {
		t.Errorf("check: got %+v, %v; want the five configured ones", found, err)
	}
}

func TestNoDaemon(t *testing.T) {
	env := executor.Environment{HostID: "h", Backend: "b", StateDir: t.TempDir(), RunDir: t.TempDir()}
	for _, tt := range []struct {
		name, config string
		code         executor.Code
		says         string
	}{
		{"not-running", `{"address":"/tmp/no-such-containerd.sock","connect_timeout":"100ms"}`, executor.Unavailable, "/tmp/no-such-containerd.sock: connect: no such file"},
		{"invalid", `{"address":"x"}`, executor.Invalid, "config.address"},
		{"not-installed", `{"containerd":"no-such-containerd"}`, executor.FailedPrecondition, "install containerd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env.Settings.Config = json.RawMessage(tt.config)
			_, err := Open(realtest.Context(t), env, realtest.NewHost())
			if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s: %v; want %s with %q", executor.CodeOf(err), err, tt.code, tt.says)
			}
		})
	}
}

// TestDaemonGone calls everything while there is no daemon.
func TestDaemonGone(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, realtest.V16)
	f := on(t, d)
	w := f.workload(first("x"), "", "true")
	f.b.driver.config.connectTimeout = 100 * time.Millisecond
	d.Stop()
	ctx := t.Context()
	_, create := f.b.Create(ctx, w)
	_, restore := f.b.Restore(ctx, w.Ref, executor.Stdio{})
	_, list := f.b.List(ctx)
	_, resolve := f.b.ResolveRuntime(ctx, "")
	for name, err := range map[string]error{
		"create": create, "restore": restore, "list": list, "resolve": resolve,
		"signal": f.b.Signal(ctx, w.Ref, 9), "delete": f.b.Delete(ctx, w.Ref),
	} {
		code := executor.CodeOf(err)
		// A create that met the dying connection cannot know what arrived.
		if code != executor.Unavailable && (name != "create" || code != executor.OutcomeUnknown) || !strings.Contains(err.Error(), d.Address) {
			t.Errorf("%s: got %s: %v", name, executor.CodeOf(err), err)
		}
	}
	d.Start()
	f.b.driver.config.connectTimeout = time.Minute
	if _, err := f.b.List(ctx); err != nil {
		t.Errorf("list after the daemon's return: %v", err)
	}
}
