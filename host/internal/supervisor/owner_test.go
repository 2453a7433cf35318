package supervisor

import (
	"context"
	"fmt"
	"testing"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/transport"
)

// Whoever starts a second executor, the backend has one.
func TestSecondExecutorOnABackendDirectory(t *testing.T) {
	state := t.TempDir()
	config := func() Config {
		c := testConfig(t, runDir(t), "")
		c.Environment = func(context.Context, transport.Client, executor.Description) (executor.Environment, error) {
			return executor.Environment{Backend: "b", StateDir: state}, nil
		}
		return c
	}
	first := started(config())
	pid := first.waitPID(t)
	second := started(config())
	second.waitError(t, fmt.Sprintf("another executor (pid %d) has opened the backend in %s", pid, state))
	if got := servedBy(t, session(t, first)); got != fmt.Sprint(pid) {
		t.Errorf("the first is served by process %s, want %d", got, pid)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	for second.Info().State != Ready { // once the first is gone the second may
		select {
		case <-t.Context().Done():
			t.Fatal("the second never got ready")
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), backoffMax)
		_, _ = second.Session(ctx)
		cancel()
	}
	if err := second.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
