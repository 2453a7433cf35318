package shim_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

func TestRun(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("hello")
		st := f.run(ref, runtime, "echo out; echo err >&2; exit 7")
		if st.State != executor.Running || st.PID == 0 {
			t.Errorf("status after create: got %+v, want a running one", st)
		}
		exit, out := f.host.WaitReleased(t, ref)
		if exit.Code == nil || *exit.Code != 7 || exit.Signal != 0 || exit.Source != executor.Observed || exit.OOM == nil || *exit.OOM {
			t.Errorf("exit: got %+v", exit)
		}
		if out != executor.Complete {
			t.Errorf("output: got %s", out)
		}
		if got := f.streams.Output(ref, "out"); got != "out\n" {
			t.Errorf("stdout: got %q", got)
		}
		if got := f.streams.Output(ref, "err"); got != "err\n" {
			t.Errorf("stderr: got %q", got)
		}
		realtest.LeaveCgroup(t, filepath.Join("davit", f.b.Key(), filepath.Base(f.b.Bundle(ref.ID))))
		for range 2 {
			if err := f.b.Delete(t.Context(), ref); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestDeathBySignal(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("killed")
		f.run(ref, runtime, "sleep 60")
		if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		exit, _ := f.host.WaitReleased(t, ref)
		if exit.Code == nil || *exit.Code != 137 || exit.Signal != syscall.SIGKILL || *exit.OOM {
			t.Errorf("exit: got %+v", exit)
		}
		if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); executor.CodeOf(err) != executor.FailedPrecondition {
			t.Errorf("signal after the end: got %v", err)
		}
	})
}

func TestOOM(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("oom")
		w := f.workload(ref, runtime, "")
		w.Spec = realtest.Spec(t, f.rootfs, map[string]any{
			"resources": map[string]any{"memory": map[string]any{"limit": 16 << 20, "swap": 16 << 20}},
		}, "/bin/sh", "-c", "x=aaaaaaaa; while :; do x=$x$x; done")
		if _, err := f.b.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		exit, _ := f.host.WaitReleased(t, ref)
		if exit.Code == nil || *exit.Code != 137 || exit.OOM == nil || !*exit.OOM || exit.Signal != syscall.SIGKILL {
			t.Errorf("exit: got %+v", exit)
		}
	})
}

func TestFailedCreateLeavesNothing(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		for _, tt := range []struct {
			name string
			edit func(*executor.Workload)
			code executor.Code
			says string
		}{
			{"command-missing", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs, nil, "/bin/nope") }, executor.CommandNotFound, "/bin/nope"},
			{"command-is-dir", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs, nil, "/etc") }, executor.CommandNotExecutable, "/etc"},
			{"no-rootfs", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs+"/nope", nil, "/bin/true") }, executor.Invalid, "nope"},
			{"no-output-file", func(w *executor.Workload) { w.Stdio.Stdout.Path = f.dir + "/nope/out" }, executor.Internal, "nope"},
			{"no-process", func(w *executor.Workload) { w.Spec = []byte(`{"ociVersion":"1.0.2","root":{"path":"/"}}`) }, executor.Invalid, "process.args"},
			{"no-json", func(w *executor.Workload) { w.Spec = []byte(`{"`) }, executor.Invalid, "spec"},
			{"bad-id", func(w *executor.Workload) { w.Ref.ID = "../x" }, executor.Invalid, "container id"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				w := f.workload(first(tt.name), runtime, "true")
				tt.edit(&w)
				_, err := f.b.Create(t.Context(), w)
				if got := executor.CodeOf(err); got != tt.code || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %s: %v; want %s with %q", got, err, tt.code, tt.says)
				}
			})
		}
		list, err := f.b.List(t.Context())
		if err != nil || len(list) != 0 {
			t.Errorf("list: got %+v, %v", list, err)
		}
		if left := realtest.Leftovers(f.b.Key()); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	})
}

// TestOutputOfInitIsRemoved cuts off a create. Its init, left alone, writes why it
// ends to the workload's stderr.
func TestOutputOfInitIsRemoved(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		for _, again := range []string{"create", "restore"} {
			ref := first("words-" + again)
			w := f.workload(ref, runtime, "echo ran >&2")
			write := func(text string) {
				if err := os.WriteFile(w.Stdio.Stderr.Path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("from before\n")
			if err := f.b.HalfMake(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			write("from before\nEOF\n")
			if again == "restore" {
				if _, err := f.b.Restore(t.Context(), ref, w.Stdio); executor.CodeOf(err) != executor.NotFound {
					t.Errorf("restore: got %v", err)
				}
			}
			if _, err := f.b.Create(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			f.host.WaitReleased(t, ref)
			if got := f.streams.Output(ref, "err"); got != "from before\nran\n" {
				t.Errorf("%s: stderr is %q", again, got)
			}
		}
	})
}

// TestCommandsThatCannotBeExecuted: none of them has run, and users see why.
func TestCommandsThatCannotBeExecuted(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		for _, c := range realtest.Commands(t, f.rootfs) {
			w := f.workload(first(c.Name), runtime, "")
			w.Spec = realtest.Spec(t, f.rootfs, nil, c.Args...)
			_, err := f.b.Create(t.Context(), w)
			if executor.CodeOf(err) != c.Code || !strings.Contains(err.Error(), c.Says) || strings.Contains(err.Error(), "make room") {
				t.Errorf("%s: got %s: %v; want %s with %q", c.Name, executor.CodeOf(err), err, c.Code, c.Says)
			}
		}
		if list, err := f.b.List(t.Context()); err != nil || len(list) > 0 {
			t.Errorf("list: got %+v, %v", list, err)
		}
	})
}

// TestCommandThatHooksMayMake: where a hook may make the program, the runtime says what
// is wrong. What hooks themselves print is never taken for that.
func TestCommandThatHooksMayMake(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		for name, tt := range map[string]struct {
			command, hook string
			code          executor.Code
			says          string
		}{
			"missing":     {"/bin/nope", "true", executor.CommandNotFound, "/bin/nope"},
			"directory":   {"/etc", "true", executor.CommandNotExecutable, "/etc"},
			"not-found":   {"/bin/true", `echo 'exec: "/bin/true": executable file not found in $PATH' >&2; exit 1`, executor.Internal, "executable file not found"},
			"exists":      {"/bin/true", `echo 'network br0 already exists' >&2; exit 1`, executor.Internal, "network br0 already exists"},
			"shim-closed": {"/bin/true", `echo 'ttrpc: closed' >&2; exit 1`, executor.Internal, "ttrpc: closed"},
			"full":        {"/bin/true", `echo 'write x: no space left on device' >&2; exit 1`, executor.Internal, "no space left on device"},
		} {
			count := filepath.Join(f.dir, name+".hook")
			w := f.workload(first(name), runtime, "")
			w.Spec = realtest.WithHook(t, realtest.Spec(t, f.rootfs, nil, tt.command), "createRuntime", "echo x >>"+count+"; "+tt.hook)
			_, err := f.b.Create(t.Context(), w)
			if executor.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: got %s: %v; want %s with %q", name, executor.CodeOf(err), err, tt.code, tt.says)
			}
			if ran, _ := os.ReadFile(count); string(ran) != "x\n" {
				t.Errorf("%s: the hook ran %d times, want once", name, strings.Count(string(ran), "x"))
			}
		}
	})
}
