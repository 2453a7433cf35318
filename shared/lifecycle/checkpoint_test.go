package lifecycle_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/davit-run/davit/shared/executor"
)

func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	test(t, func(t *testing.T, b backend) {
		b.create(1)
		there, one := executor.Checkpoint{Dir: dir}, executor.Checkpoint{Dir: dir + "/one", LeaveRunning: true}
		call := func(what string, r executor.Ref, c executor.Checkpoint, want executor.Code) {
			t.Helper()
			b.wantCode(what, b.Checkpoint(t.Context(), r, c), want)
		}
		call("running", ref("a", 1), one, "")
		call("made already", ref("a", 1), there, "")
		call("relative", ref("a", 1), executor.Checkpoint{Dir: "one"}, executor.Invalid)
		call("with dots", ref("a", 1), executor.Checkpoint{Dir: dir + "/../one"}, executor.Invalid)
		call("unknown", ref("b", 1), one, executor.NotFound)
		b.wantCode("pause", b.Pause(t.Context(), ref("a", 1)), "")
		call("paused", ref("a", 1), one, executor.FailedPrecondition)
		b.wantCode("resume", b.Resume(t.Context(), ref("a", 1)), "")
		b.end("a", 0)
		synctest.Wait()
		call("ended", ref("a", 1), one, executor.FailedPrecondition)
		call("made already, and ended", ref("a", 1), there, "")
		if !slices.Equal(b.checkpoints, []executor.Checkpoint{one}) {
			t.Errorf("made were %v", b.checkpoints)
		}
	})
}
