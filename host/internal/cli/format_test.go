package cli

import (
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

func TestStatus(t *testing.T) {
	now := time.Now()
	code := func(n int) *int { return &n }
	yes := true
	ended := func(e executor.Exit, out executor.Output) api.Container {
		return api.Container{State: api.StateExited, FinishedAt: now.Add(-2 * time.Minute), Exit: &api.End{Exit: e, Output: out}}
	}
	for _, tt := range []struct {
		want string
		c    api.Container
	}{
		{"creating", api.Container{State: api.StateCreating}},
		{"running 5s", api.Container{State: api.StateRunning, StartedAt: now.Add(-5 * time.Second)}},
		{"running 0s", api.Container{State: api.StateRunning, StartedAt: now.Add(time.Hour)}}, // a clock that was set back
		{"paused 3h", api.Container{State: api.StatePaused, StartedAt: now.Add(-3*time.Hour - 59*time.Minute)}},
		{"running 5s (healthy)", api.Container{State: api.StateRunning, StartedAt: now.Add(-5 * time.Second), Health: &api.Health{Status: api.HealthHealthy}}},
		{"paused 5s (health: starting)", api.Container{State: api.StatePaused, StartedAt: now.Add(-5 * time.Second), Health: &api.Health{Status: api.HealthStarting}}},
		{"exiting", api.Container{State: api.StateExiting}},
		{"exited (3) 2m ago", ended(executor.Exit{Code: code(3)}, executor.Complete)},
		{"exited (137, SIGKILL, OOM) 2m ago", ended(executor.Exit{Code: code(137), Signal: syscall.SIGKILL, OOM: &yes}, executor.Complete)},
		{"exited (168, signal 40) 2m ago", ended(executor.Exit{Code: code(168), Signal: 40}, executor.Complete)},
		{"exited (0, output incomplete) 2m ago", ended(executor.Exit{Code: code(0)}, executor.Truncated)},
		{"lost: the machine was restarted", ended(executor.Exit{Source: executor.Lost, Reason: "the machine was restarted"}, executor.Truncated)},
		{"restarting (1) in 3s", api.Container{State: api.StateRestarting, RestartAt: now.Add(3 * time.Second), Exit: &api.End{Exit: executor.Exit{Code: code(1)}}}},
		{"restarting (no such file) now", api.Container{State: api.StateRestarting, RestartAt: now, Error: "no such file"}},
		{"failed: no such file", api.Container{State: api.StateFailed, Error: "no such file"}},
	} {
		if got := status(tt.c, now); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestCommandLine(t *testing.T) {
	if got, want := commandLine([]string{"sh", "-c", "echo \"$x\"\n", ""}), `sh -c "echo \"$x\"\n" ""`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := shorten("äöüäöü", 4), "äöü…"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
