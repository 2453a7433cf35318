package containerd

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
)

func testCreateIsIdempotent(t *testing.T, f *fixture, runtime string) {
	ref := first("again")
	w := f.workload(ref, runtime, "echo started; cat /gate; exit 4")
	st, err := f.b.Create(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	// A second run in this process, and one in a new one.
	for range 2 {
		exit, _ := f.host.WaitReleased(t, ref)
		again, err := f.b.Create(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if !again.State.Ended() || *again.Exit.Code != 1 && *again.Exit.Code != *exit.Code {
			t.Errorf("second create: got %+v", again)
		}
		if again.Ref != st.Ref {
			t.Errorf("second create: got ref %s, want %s", again.Ref, st.Ref)
		}
		f.crash()
		f.open()
	}
	if got := f.streams.Output(ref, "out"); got != "started\n" {
		t.Errorf("output: got %q, want one start", got)
	}
}

func TestCreateWhileRunning(t *testing.T) {
	t.Parallel()
	f := on(t, startDaemon(t, realtest.V16))
	ref := first("running")
	w := f.workload(ref, "", "echo started; sleep 60")
	st, err := f.b.Create(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	for _, restart := range []bool{false, true} {
		if restart {
			f.crash()
			f.open()
		}
		again, err := f.b.Create(t.Context(), w)
		if err != nil || again.State != executor.Running || again.PID != st.PID {
			t.Errorf("same attempt, restart %t: got %+v, %v; want pid %d", restart, again, err, st.PID)
		}
	}
	newer := w
	newer.Ref.Attempt = 2
	if _, err := f.b.Create(t.Context(), newer); executor.CodeOf(err) != executor.AlreadyExists {
		t.Errorf("newer attempt beside a running one: got %v", err)
	}
}

func testNewerAttemptReplacesEndedOne(t *testing.T, f *fixture, runtime string) {
	old := first("stale")
	f.host.Answer(realtest.Never) // the host does not take the exit
	f.run(old, runtime, "exit 3")
	if _, err := realtest.ListEnded(t, f.b, old); err != nil {
		t.Fatal(err)
	}
	f.crash()
	f.open()
	f.host.Answer(nil)

	next := executor.Ref{ID: old.ID, Attempt: 2}
	f.run(next, runtime, "exit 5")
	// The stale exit was handed over before the create returned.
	handed := f.host.Exits()[old]
	if len(handed) != 1 || *handed[0].Exit.Code != 3 || handed[0].Exit.Source == executor.Lost {
		t.Errorf("exit of the stale attempt: got %+v", handed)
	}
	if exit, _ := f.host.WaitReleased(t, next); *exit.Code != 5 {
		t.Errorf("exit of the new attempt: got %+v", exit)
	}
	if _, err := f.b.Create(t.Context(), f.workload(old, runtime, "exit 3")); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("create of an older attempt: got %v", err)
	}
}

func TestCreateKeepsExitThatHostRefused(t *testing.T) {
	t.Parallel()
	f := on(t, startDaemon(t, realtest.V16))
	ref := first("refused")
	f.host.Answer(func(context.Context) error { return executor.Errorf(executor.NotFound, "no such attempt") })
	f.run(ref, "", "exit 3")
	_, _ = realtest.ListEnded(t, f.b, ref)
	_, err := f.b.Create(t.Context(), f.workload(executor.Ref{ID: ref.ID, Attempt: 2}, "", "exit 5"))
	if err == nil {
		t.Error("a new attempt replaced one whose exit the host refused")
	}
	list, err := f.b.List(t.Context())
	if err != nil || len(list) != 1 || list[0].State != executor.Exited || *list[0].Exit.Code != 3 {
		t.Errorf("list: got %+v, %v", list, err)
	}
	f.host.Answer(nil)
	if _, err := f.b.Restore(t.Context(), ref, executor.Stdio{}); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 3 {
		t.Errorf("exit after restore: got %+v", exit)
	}
}

func testFailedCreateLeavesNothing(t *testing.T, f *fixture, runtime string) {
	for _, tt := range []struct {
		name string
		edit func(*executor.Workload)
		code executor.Code
		says string
	}{
		{"command-missing", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs, nil, "/bin/nope") }, executor.CommandNotFound, "/bin/nope"},
		{"command-not-on-path", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs, nil, "nope") }, executor.CommandNotFound, "nope"},
		{"command-is-dir", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs, nil, "/etc") }, executor.CommandNotExecutable, "/etc"},
		{"no-rootfs", func(w *executor.Workload) { w.Spec = realtest.Spec(t, f.rootfs+"/nope", nil, "/bin/true") }, executor.Invalid, "nope"},
		{"bad-mount", func(w *executor.Workload) {
			w.Spec = []byte(strings.Replace(string(w.Spec), `"source":"proc"`, `"source":"/nope","options":["bind"]`, 1))
			w.Spec = []byte(strings.Replace(string(w.Spec), `"type":"proc"`, `"type":"bind"`, 1))
		}, executor.Internal, "/nope"},
		{"no-output-file", func(w *executor.Workload) { w.Stdio.Stdout.Path = f.dir + "/nope/out" }, executor.Internal, "nope"},
		{"no-process", func(w *executor.Workload) { w.Spec = []byte(`{"ociVersion":"1.0.2","root":{"path":"/"}}`) }, executor.Invalid, "process.args"},
		{"no-root", func(w *executor.Workload) { w.Spec = []byte(`{"ociVersion":"1.0.2"}`) }, executor.Invalid, "root.path"},
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
	if runc, _ := filepath.Glob(filepath.Join(f.env.RunDir, "*", "davit", "*")); len(runc) > 0 {
		t.Errorf("runc still knows %q", runc)
	}
}

func TestCancelledCreateLeavesNothing(t *testing.T) {
	everyDaemon(t, func(t *testing.T, version string) {
		f := on(t, startDaemon(t, version))
		for d := time.Millisecond; d < 100*time.Millisecond; d += 7 * time.Millisecond {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			ref := first("cancelled")
			_, err := f.b.Create(ctx, f.workload(ref, "", "sleep 60"))
			cancel()
			if err == nil {
				if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil {
					t.Error(err)
				}
				f.host.WaitReleased(t, ref)
				if err := f.b.Delete(t.Context(), ref); err != nil {
					t.Error(err)
				}
				break
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("create within %v: got %v", d, err)
			}
			if list, err := f.b.List(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("list after a create within %v: got %+v, %v", d, list, err)
			}
		}
	})
}

// TestShimThatDiesIsReplaced has the OCI runtime kill its shim in a create: once, as
// the clean-up of an earlier create may, and always.
func TestShimThatDiesIsReplaced(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, realtest.V16)
	dir := realtest.Dir(t)
	var blocks []executor.RuntimeSettings
	for name, when := range map[string]string{"once": "mkdir " + dir + "/once 2>/dev/null", "always": "true"} {
		killer := filepath.Join(dir, "runc-"+name)
		script := "#!/bin/sh\ncase \" $* \" in *' create '*) if " + when + "; then kill -9 $PPID; exit 1; fi;; esac\nexec runc \"$@\"\n"
		if err := linux.WriteProgram(killer, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, runtimeBlock(t, name, map[string]any{"path": killer}))
	}
	f := on(t, d, blocks...)
	f.run(first("once"), "once", "echo out; exit 6")
	if exit, _ := f.host.WaitReleased(t, first("once")); exit.Code == nil || *exit.Code != 6 || f.streams.Output(first("once"), "out") != "out\n" {
		t.Errorf("killed once: got %+v", exit)
	}
	_, err := f.b.Create(t.Context(), f.workload(first("always"), "always", "echo out"))
	if err == nil || !strings.Contains(err.Error(), errShimDied.Error()) {
		t.Errorf("always killed: got %v, want that its shim died", err)
	}
	if list, err := f.b.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("list: got %+v, %v, want the first alone", list, err)
	}
}
