package containerd

import (
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// testExecLeavesOthersBehind has further processes that end before those that they have
// started.
func testExecLeavesOthersBehind(t *testing.T, f *fixture, runtime string) {
	ref := first("x")
	f.run(ref, runtime, "sleep 1000")
	realtest.LeaveBehind(t, f.b, f.host, f.streams, ref)
}
