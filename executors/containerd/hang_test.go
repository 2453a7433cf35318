package containerd

import (
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// A Create that hangs in the runtime, or in a hook, ends when it is not wanted any more,
// with all that it has started.
func TestHangingCreateIsCutShort(t *testing.T) {
	for name, tt := range map[string]struct{ release, verb string }{
		"create, 1.6": {realtest.V16, "create"},
		"create, 2.4": {realtest.V24, "create"},
		"start, 2.4":  {realtest.V24, "start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			block, hangs := realtest.Hanging(t, "hangs", "", tt.verb)
			f := on(t, startDaemon(t, tt.release), block)
			realtest.CutShort(t, f.b, f.workload(first("hanging"), "hangs", "exit 0"), hangs)
			f.run(first("other"), "", "exit 3")
		})
	}
	t.Run("hook", func(t *testing.T) {
		t.Parallel()
		f := on(t, startDaemon(t, realtest.V24))
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
