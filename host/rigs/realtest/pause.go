package realtest

import (
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

// Pauser is a backend that offers pause.
type Pauser interface {
	executor.Backend
	executor.Pauser
}

// Chatter is a shell script that writes "up" and then goes on writing.
const Chatter = "echo up; while :; do echo x; sleep 0.01; done"

// Pause checks that a container which runs [Chatter] does not run while it is paused,
// is still paused for the next executor, which reopen starts after it has killed this
// one, and dies of SIGKILL.
func Pause(t testing.TB, b Pauser, reopen func() Pauser, host *Host, streams Streams, ref executor.Ref) {
	t.Helper()
	streams.WaitOutput(ref, "out", "up")
	for range 2 {
		if err := b.Pause(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	b = reopen()
	st, err := b.Restore(t.Context(), ref, executor.Stdio{})
	if err != nil || st.State != executor.Paused {
		t.Fatalf("restored %+v, %v", st, err)
	}
	before := streams.Output(ref, "out")
	time.Sleep(50 * time.Millisecond)
	if streams.Output(ref, "out") != before {
		t.Error("it runs although it is paused")
	}
	for range 2 {
		if err := b.Resume(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	wait.Until(t, "it runs on", func() bool { return streams.Output(ref, "out") != before })
	if err := b.Pause(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if err := b.Signal(t.Context(), ref, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exit, _ := host.WaitReleased(t, ref); exit.Code == nil || *exit.Code != 137 {
		t.Errorf("exit %+v", exit)
	}
	if err := b.Pause(t.Context(), ref); executor.CodeOf(err) != executor.FailedPrecondition {
		t.Errorf("Pause after the end: %v", err)
	}
}
