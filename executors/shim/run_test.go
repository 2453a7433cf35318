package shim_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/davit-run/davit/executors/realtest"
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
			{"no-rootfs", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs+"/nope", nil, "/bin/true") }, executor.Internal, "nope"},
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
		if left := realtest.Leftovers(f.b.Key()); len(left) > 0 && !onlyOwnCgroup(left) {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	})
}

// onlyOwnCgroup reports whether nothing is left but the parent of the backend's
// cgroups, which it keeps until it is closed.
func onlyOwnCgroup(left []string) bool {
	for _, l := range left {
		if !strings.HasPrefix(l, "cgroup ") || strings.Count(l, "/davit/") != 1 || strings.Contains(l, "-") && !strings.Contains(l, "name=") {
			return false
		}
	}
	return true
}

// TestWordsOfInitAreRemoved has a create cut off whose init, left alone, writes
// why it ends to the workload's stderr.
func TestWordsOfInitAreRemoved(t *testing.T) {
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
