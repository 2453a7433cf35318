package shim_test

import (
	"path/filepath"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// A Create that hangs in the runtime, or in a hook, ends when it is not wanted any more,
// with all that it has started.
func TestHangingCreateIsCutShort(t *testing.T) {
	foreign := filepath.Join(realtest.Bin(t, realtest.V24), "containerd-shim-runc-v2")
	for name, tt := range map[string]struct{ shim, verb string }{
		"create, own shim":     {"", "create"},
		"create, foreign shim": {foreign, "create"},
		"start, foreign shim":  {foreign, "start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			block, hangs := realtest.Hanging(t, "hangs", tt.shim, tt.verb)
			f := newFixture(t, nil, block)
			realtest.CutShort(t, f.b, f.workload(first("hanging"), "hangs", "exit 0"), hangs)
			f.run(first("other"), "", "exit 3")
			f.host.WaitReleased(t, first("other"))
		})
	}
	t.Run("hook", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t, nil)
		w := f.workload(first("hooked"), "", "sleep 1000")
		var hangs func()
		var ran func() int
		w.Spec, hangs, ran = realtest.HangingHook(t, w.Spec)
		realtest.CutShort(t, f.b, w, hangs)
		if n := ran(); n != 1 {
			t.Errorf("the hook ran %d times, want once", n)
		}
	})
}
