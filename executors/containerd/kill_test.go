package containerd

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/rigs/realtest"
	"github.com/davit-run/davit/shared/executor"
)

// TestKillOfWhatHasJustEnded kills containers a moment after they have ended, when their
// shims may know of that and nobody else.
func TestKillOfWhatHasJustEnded(t *testing.T) {
	t.Parallel()
	f := on(t, startDaemon(t, realtest.V24))
	for i := range 10 {
		ref := first(fmt.Sprintf("ended-%d", i))
		st := f.run(ref, "", "exec sleep 1000")
		if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := f.b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil && executor.CodeOf(err) != executor.FailedPrecondition {
			t.Errorf("got %v, want that it has ended", err)
		}
		f.host.WaitReleased(t, ref)
		if err := f.b.Delete(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
}
