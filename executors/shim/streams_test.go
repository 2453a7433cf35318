package shim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestOutputIsOpenedAgain: a workload can open /dev/stdout whoever it is, also in a user
// namespace, and loses nothing by that.
func TestOutputIsOpenedAgain(t *testing.T) {
	const script = "echo one; echo two >/dev/stdout; : >/dev/stderr; echo three; echo four >/dev/stderr"
	mapping := []map[string]int{{"containerID": 0, "hostID": 100000, "size": 65536}}
	userns := map[string]any{
		"uidMappings": mapping, "gidMappings": mapping,
		"namespaces": []map[string]string{{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "user"}},
	}
	for name, tt := range map[string]struct {
		linux map[string]any
		user  int
	}{
		"root":                           {nil, 0},
		"user":                           {nil, 1000},
		"root in a user namespace":       {userns, 0},
		"other user in a user namespace": {userns, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			everyShim(t, func(t *testing.T, f *fixture, runtime string) {
				ref := first("again")
				w := f.workload(ref, runtime, script)
				var spec map[string]any
				if err := json.Unmarshal(realtest.Spec(t, f.rootfs, tt.linux, "/bin/sh", "-c", script), &spec); err != nil {
					t.Fatal(err)
				}
				spec["process"].(map[string]any)["user"] = map[string]int{"uid": tt.user, "gid": tt.user}
				var err error
				if w.Spec, err = json.Marshal(spec); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(filepath.Dir(f.rootfs), 0o755); err != nil {
					t.Fatal(err)
				}
				if _, err := f.b.Create(t.Context(), w); err != nil {
					t.Fatal(err)
				}
				exit, out := f.host.WaitReleased(t, ref)
				stdout, stderr := f.streams.Output(ref, "out"), f.streams.Output(ref, "err")
				if exit.Code == nil || *exit.Code != 0 || out != executor.Complete || stdout != "one\ntwo\nthree\n" || stderr != "four\n" {
					t.Errorf("exit %+v, output %s, %q and %q", exit, out, stdout, stderr)
				}
			})
		})
	}
}

// TestRestartKeepsOutput: the output of an attempt stays when the next one takes its
// place.
func TestRestartKeepsOutput(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		one := first("again")
		two := executor.Ref{ID: one.ID, Attempt: 2}
		for _, ref := range []executor.Ref{one, two} {
			f.run(ref, runtime, "echo out; echo err >&2; exit 1")
			f.host.WaitReleased(t, ref)
		}
		if err := f.b.Delete(t.Context(), two); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []executor.Ref{one, two} {
			if stdout, stderr := f.streams.Output(ref, "out"), f.streams.Output(ref, "err"); stdout != "out\n" || stderr != "err\n" {
				t.Errorf("%s: got %q and %q", ref, stdout, stderr)
			}
		}
	})
}
