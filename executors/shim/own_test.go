package shim_test

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	taskapi "github.com/containerd/containerd/api/runtime/task/v3"
	"github.com/containerd/ttrpc"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// edited returns a request for a shell script, with an edited spec.
func (f *fixture) edited(ref executor.Ref, script string, edit func(spec map[string]any)) executor.Workload {
	f.t.Helper()
	w := f.workload(ref, "", script)
	var spec map[string]any
	if err := json.Unmarshal(w.Spec, &spec); err != nil {
		f.t.Fatal(err)
	}
	edit(spec)
	var err error
	if w.Spec, err = json.Marshal(spec); err != nil {
		f.t.Fatal(err)
	}
	return w
}

// runEdited runs a container of such a request to its end, and returns its exit.
func (f *fixture) runEdited(ref executor.Ref, script string, edit func(spec map[string]any)) executor.Exit {
	f.t.Helper()
	if _, err := f.b.Create(f.t.Context(), f.edited(ref, script, edit)); err != nil {
		f.t.Fatal(err)
	}
	exit, out := f.host.WaitReleased(f.t, ref)
	if out != executor.Complete {
		f.t.Errorf("output: got %s", out)
	}
	return exit
}

func TestOwnShimRunsHooks(t *testing.T) {
	f := newFixture(t, nil)
	ref, log := first("hooks"), filepath.Join(f.dir, "hooks")
	var want []string
	exit := f.runEdited(ref, "exit 3", func(spec map[string]any) {
		hooks := make(map[string]any)
		for _, name := range []string{"prestart", "createRuntime", "poststart", "poststop"} {
			hooks[name] = []map[string]any{{"path": "/bin/sh", "args": []string{"sh", "-c", "cat >/dev/null; echo " + name + " >>" + log}}}
			want = append(want, name)
		}
		spec["hooks"] = hooks
	})
	got, err := os.ReadFile(log)
	if *exit.Code != 3 || err != nil || strings.Join(strings.Fields(string(got)), " ") != strings.Join(want, " ") {
		t.Errorf("exit: got %+v; hooks: got %q, %v; want %q", exit, got, err, want)
	}
}

// TestOwnShimEndsAllProcesses runs a container without a PID namespace, of which the
// kernel would end only the first process.
func TestOwnShimEndsAllProcesses(t *testing.T) {
	f := newFixture(t, nil)
	ref := first("shared")
	exit := f.runEdited(ref, "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!; exit 3", func(spec map[string]any) {
		linux := spec["linux"].(map[string]any)
		linux["namespaces"] = []map[string]string{{"type": "mount"}}
	})
	pid, err := strconv.Atoi(strings.TrimSpace(f.streams.Output(ref, "out")))
	if *exit.Code != 3 || err != nil {
		t.Fatalf("got %+v, %v", exit, err)
	}
	realtest.WaitGone(t, pid)
}

func TestOwnShimMergesStreams(t *testing.T) {
	f := newFixture(t, nil)
	ref := first("merged")
	w := f.workload(ref, "", "for i in 1 2 3 4 5 6 7 8 9; do echo out $i; echo err $i >&2; done")
	w.Stdio.Stderr = w.Stdio.Stdout
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	f.host.WaitReleased(t, ref)
	var want strings.Builder
	for i := range 9 {
		n := strconv.Itoa(i + 1)
		want.WriteString("out " + n + "\nerr " + n + "\n")
	}
	if got := f.streams.Output(ref, "out"); got != want.String() {
		t.Errorf("got %q, want %q", got, want.String())
	}
	if scripts, _ := filepath.Glob(f.env.StateDir + "/wrappers/*"); len(scripts) > 0 {
		t.Errorf("made %v", scripts)
	}
}

func TestOwnShimReadsStdin(t *testing.T) {
	f := newFixture(t, nil)
	ref, fifo := first("stdin"), filepath.Join(f.dir, "stdin")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	w := f.workload(ref, "", "cat; echo end")
	w.Stdio.Stdin = executor.Stream{Kind: executor.StreamFIFO, Path: fifo}
	if _, err := f.b.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456\n"), 20_000)
	if err := os.WriteFile(fifo, text, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.b.CloseInput(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	f.host.WaitReleased(t, ref)
	if got := f.streams.Output(ref, "out"); got != string(text)+"end\n" {
		t.Errorf("got %d bytes, want %d", len(got), len(text)+4)
	}
}

// shim connects to a container's shim, which knows it by the id.
func (f *fixture) shim(ref executor.Ref) (tasks taskapi.TTRPCTaskService, id string) {
	f.t.Helper()
	conn, err := net.Dial("unix", f.b.Socket(ref.ID))
	if err != nil {
		f.t.Fatal(err)
	}
	client := ttrpc.NewClient(conn)
	f.t.Cleanup(func() { _ = client.Close() })
	return taskapi.NewTTRPCTaskClient(client), filepath.Base(f.b.Bundle(ref.ID))
}

// TestOwnShimKilledWhilePaused checks that a paused container whose shim was killed
// ends, and that nothing is left of it.
func TestOwnShimKilledWhilePaused(t *testing.T) {
	f := newFixture(t, nil)
	ref := first("paused")
	f.run(ref, "", "sleep 1000 & echo ready; wait")
	f.streams.WaitOutput(ref, "out", "ready")
	tasks, id := f.shim(ref)
	if _, err := tasks.Pause(t.Context(), &taskapi.PauseRequest{ID: id}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(f.shimOf(ref.ID), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.host.WaitReleased(t, ref); exit.Source != executor.Lost {
		t.Errorf("got %+v", exit)
	}
	if err := f.b.Delete(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

func TestTerminal(t *testing.T) {
	f := newFixture(t, nil)
	ref := first("tty")
	f.runEdited(ref, "[ -t 0 ] && [ -t 1 ] && echo terminal", func(spec map[string]any) {
		spec["process"].(map[string]any)["terminal"] = true
		spec["mounts"] = append(spec["mounts"].([]any), map[string]any{
			"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": []string{"newinstance", "ptmxmode=0666"},
		})
	})
	if got := f.streams.Output(ref, "out"); !strings.Contains(got, "terminal") {
		t.Errorf("got %q", got)
	}
}

// TestIdleShimKilled checks that an idle shim is used once, and that no container
// fails because an idle shim was killed.
func TestIdleShimKilled(t *testing.T) {
	f := newFixture(t, nil)
	for i, kill := range []bool{false, true, false} {
		ref := first("s" + strconv.Itoa(i))
		f.run(ref, "", untilTerm)
		f.streams.WaitOutput(ref, "out", "ready")
		used := f.shimOf(ref.ID)
		var idle []int
		wait.Until(t, "there is one idle shim", func() bool { // the last used one may still be ending
			idle = children("davit-shim", used)
			return len(idle) == 1
		})
		if kill {
			if err := syscall.Kill(idle[0], syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			realtest.WaitGone(t, idle[0])
		}
		if err := f.b.Signal(t.Context(), ref, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if exit, _ := f.host.WaitReleased(t, ref); *exit.Code != 9 {
			t.Errorf("got %+v", exit)
		}
	}
}

// children lists the living children of this process with a name, except one.
func children(name string, not int) (pids []int) {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			line, _ := os.ReadFile("/proc/" + field + "/cmdline")
			if pid, _ := strconv.Atoi(field); pid != not && strings.HasPrefix(string(line), name+"\x00") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// TestOwnShimFailsCreate checks that runc's error reaches the user.
func TestOwnShimFailsCreate(t *testing.T) {
	f := newFixture(t, nil)
	w := f.edited(first("nomount"), "true", func(spec map[string]any) {
		spec["mounts"] = append(spec["mounts"].([]any), map[string]any{"destination": "/x", "type": "bind", "source": "/nope", "options": []string{"bind"}})
	})
	_, err := f.b.Create(t.Context(), w)
	if executor.CodeOf(err) != executor.Internal || !strings.Contains(err.Error(), "/nope") {
		t.Errorf("got %s: %v", executor.CodeOf(err), err)
	}
}

// TestRootIsRequired checks that a runtime without a root is refused: the executor
// could not remove its container if the shim died.
func TestRootIsRequired(t *testing.T) {
	f := newFixture(t, nil)
	w := f.workload(first("rootless"), "", "true")
	w.Runtime.Resolved = json.RawMessage(`{"shim":"io.containerd.runc.v2"}`)
	if _, err := f.b.Create(t.Context(), w); executor.CodeOf(err) != executor.Invalid || !strings.Contains(err.Error(), "root") {
		t.Errorf("got %s: %v", executor.CodeOf(err), err)
	}
}

// TestOwnShimIsNamed checks that users see whose shim serves a runtime, and its
// version.
func TestOwnShimIsNamed(t *testing.T) {
	f := newFixture(t, nil)
	infos, err := f.b.Runtimes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		if info.Default && !strings.HasPrefix(info.Version, "davit's own shim test, oci ") {
			t.Errorf("got %+v", info)
		}
	}
}
