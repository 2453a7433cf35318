package shim_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestForeignRuntimes runs containers on OCI runtimes of others, to their end, to a kill,
// and to the death of their shim, after which nothing runs on.
func TestForeignRuntimes(t *testing.T) {
	for _, r := range realtest.Foreigners(t) {
		t.Run(r.Name, func(t *testing.T) {
			body, err := json.Marshal(map[string]any{"path": r.Path, "args": r.Args})
			if err != nil {
				t.Fatal(err)
			}
			f := newFixture(t, nil, executor.RuntimeSettings{Name: "foreign", Body: body})
			// gVisor keeps one network namespace for all containers of a root.
			shared := f.env.RunDir + "/runc/davit/null-netns"
			t.Cleanup(func() {
				_ = syscall.Unmount(shared, 0)
				_ = os.Remove(shared)
			})
			ends, killed, orphan := first("ends"), first("killed"), first("orphan")
			f.run(ends, "foreign", "echo out; echo err >&2; exit 7")
			if exit, out := f.host.WaitReleased(t, ends); exit.Code == nil || *exit.Code != 7 || out != executor.Complete {
				t.Errorf("exit: got %+v, %s", exit, out)
			}
			if out, err := f.streams.Output(ends, "out"), f.streams.Output(ends, "err"); out != "out\n" || err != "err\n" {
				t.Errorf("output: got %q, %q", out, err)
			}
			for ref, end := range map[executor.Ref]func() error{
				killed: func() error { return f.b.Signal(t.Context(), killed, syscall.SIGKILL) },
				orphan: func() error { return syscall.Kill(f.shimOf(orphan.ID), syscall.SIGKILL) },
			} {
				st := f.run(ref, "foreign", "echo ready; sleep 1000")
				f.streams.WaitOutput(ref, "out", "ready")
				if err := end(); err != nil {
					t.Fatal(err)
				}
				exit, _ := f.host.WaitReleased(t, ref)
				if lost := exit.Source == executor.Lost; lost != (ref == orphan) || !lost && *exit.Code != 137 {
					t.Errorf("%s: got %+v", ref, exit)
				}
				realtest.WaitGone(t, st.PID)
				if err := f.b.Delete(t.Context(), ref); err != nil {
					t.Errorf("delete %s: %v", ref, err)
				}
				left, err := filepath.Glob(f.env.RunDir + "/runc/davit/*")
				left = slices.DeleteFunc(left, func(path string) bool { return path == shared })
				if err != nil || len(left) > 0 {
					t.Errorf("%s: the runtime has %v, %v", ref, left, err)
				}
			}
		})
	}
}
