package process_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// further returns a request for a script as a further process of an attempt.
func (f *fixture) further(ref executor.Ref, id, script string) executor.Workload {
	f.t.Helper()
	raw, err := json.Marshal(specs.Process{Args: []string{"sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		f.t.Fatal(err)
	}
	ref.Exec = id
	return executor.Workload{Ref: ref, Spec: raw, Stdio: executor.Stdio{Stdout: f.streams.File(ref, id)}}
}

// TestExecWithin looks around in a further process: it has the root, the mounts and the
// cgroups of the first one.
func TestExecWithin(t *testing.T) {
	root(t)
	f := newFixture(t, "{}")
	ref := executor.Ref{ID: "a", Attempt: 1}
	st := f.run(ref, rooted(t, realtest.Rootfs(t), ocispec.Options{}, "echo here > /tmp/mark; sleep 1000"))
	wait.Until(t, "it is ready", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d/root/tmp/mark", st.PID))
		return err == nil
	})
	x := f.further(ref, "x", "cat /tmp/mark; readlink /proc/self/ns/mnt; cat /proc/self/cgroup")
	if _, err := f.b.Create(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if exit, _ := f.wait(x.Ref); exit.Code == nil || *exit.Code != 0 {
		t.Errorf("exit %+v", exit)
	}
	space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", st.PID))
	if err != nil {
		t.Fatal(err)
	}
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", st.PID))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.streams.Output(ref, "x"), "here\n"+space+"\n"+string(cgroup); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestExecLeavesOthersBehind has a further process that ends before one that it has started:
// that goes on after the deletion, and ends with the attempt.
func TestExecLeavesOthersBehind(t *testing.T) {
	f := newFixture(t, "{}")
	ref := executor.Ref{ID: fmt.Sprintf("left-%d", os.Getpid()), Attempt: 1}
	f.run(ref, command("sleep 1000"))
	x := f.further(ref, "x", "(echo $$; while :; do echo more; sleep 0.1; done) & exit 3")
	if _, err := f.b.Create(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if exit, output := f.wait(x.Ref); exit.Code == nil || *exit.Code != 3 || output != executor.Complete {
		t.Errorf("exit %+v, output %s", exit, output)
	}
	if err := f.b.Delete(t.Context(), x.Ref); err != nil {
		t.Fatal(err)
	}
	before := len(f.streams.Output(ref, "x"))
	wait.Until(t, "what was left behind writes on", func() bool { return len(f.streams.Output(ref, "x")) > before })
	if err := f.b.Signal(t.Context(), ref, 9); err != nil {
		t.Fatal(err)
	}
	f.wait(ref)
	wait.Until(t, "it has ended with the attempt", func() bool {
		links, _ := os.ReadDir("/proc")
		for _, l := range links {
			if line, err := os.ReadFile("/proc/" + l.Name() + "/cmdline"); err == nil && strings.Contains(string(line), "davit-monitor\x00"+x.Ref.String()) {
				return false
			}
		}
		return true
	})
}
