package containerd

import (
	"os/exec"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
)

// testPause pauses a container, over the death of the executor.
func testPause(t *testing.T, f *fixture, runtime string) {
	ref := first("p")
	f.run(ref, runtime, realtest.Chatter)
	realtest.Pause(t, f.b, func() realtest.Pauser {
		f.crash()
		f.open()
		return f.b
	}, f.host, f.streams, ref)
}

// TestFreezeThatTakesTries pauses a container whose runtime gives up twice.
func TestFreezeThatTakesTries(t *testing.T) {
	t.Parallel()
	runc, _ := exec.LookPath("runc")
	realtest.Need(t, runc)
	f := on(t, startDaemon(t, realtest.V16), runtimeBlock(t, "twice", map[string]any{"path": realtest.FailsTwice(t, runc, "pause")}))
	ref := first("p")
	f.run(ref, "twice", realtest.Chatter)
	if err := f.b.Pause(t.Context(), ref); err != nil {
		t.Error(err)
	}
}
