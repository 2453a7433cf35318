package shim_test

import (
	"strings"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// TestRelativeCgroup names a cgroup that is not absolute. It is below that of the
// container, and so goes with it: the fixture looks for what is left.
func TestRelativeCgroup(t *testing.T) {
	everyShim(t, func(t *testing.T, f *fixture, runtime string) {
		ref := first("relative")
		w := f.workload(ref, runtime, "cat /proc/self/cgroup")
		w.Spec = realtest.Spec(t, f.rootfs, map[string]any{"cgroupsPath": "web/x"}, "/bin/cat", "/proc/1/cgroup")
		if _, err := f.b.Create(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		f.host.WaitReleased(t, ref)
		if out := f.streams.Output(ref, "out"); !strings.Contains(out, "/davit/") || !strings.Contains(out, "/web/x\n") {
			t.Errorf("it ran in %s", out)
		}
		if err := f.b.Remove(t.Context(), ref.ID); err != nil {
			t.Fatal(err)
		}
		if left := realtest.Leftovers(f.b.Key()); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	})
}
