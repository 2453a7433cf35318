package host

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/rigs/wait"
	"github.com/davit-run/davit/shared/executor"
)

func TestRestartPolicies(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	tests := []struct {
		policy, step string
		want         int // attempts
	}{
		{"", "exit 1", 1},
		{"no", "exit 1", 1},
		{"on-failure", "exit 0", 1},
		{"on-failure:2", "exit 1", 3},
	}
	for _, tt := range tests {
		t.Run(tt.policy+" "+tt.step, func(t *testing.T) {
			opts := program(t, tt.step)
			opts.Restart = tt.policy
			c := mustCreate(t, h, opts)
			wait.Until(t, "the policy gives up", func() bool {
				now, err := h.Inspect(c.ID)
				return err == nil && now.State == api.StateExited
			})
			if now, _ := h.Inspect(c.ID); now.Attempt != tt.want {
				t.Errorf("got %d attempts, want %d", now.Attempt, tt.want)
			}
		})
	}
	for _, policy := range []string{"always", "unless-stopped"} {
		t.Run(policy, func(t *testing.T) {
			opts := program(t, "exit 0")
			opts.Restart = policy
			c := mustCreate(t, h, opts)
			wait.Until(t, "it runs a third time", func() bool {
				now, err := h.Inspect(c.ID)
				return err == nil && now.Attempt >= 3
			})
			if err := h.Stop(t.Context(), c.ID, time.Minute); err != nil {
				t.Fatal(err)
			}
			wait.Until(t, "it stays stopped", func() bool {
				now, err := h.Inspect(c.ID)
				return err == nil && stoppedForGood(now)
			})
		})
	}
}

func TestRestartSurvivesTheHost(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	opts := program(t, "exit 1")
	opts.Restart = "always"
	c := mustCreate(t, first, opts)
	mustWait(t, first, c.ID)
	first.Close()
	second := openHost(t, cfg)
	defer stopHost(t, second)
	before := c.Attempt
	wait.Until(t, "the next host starts it again", func() bool {
		now, err := second.Inspect(c.ID)
		return err == nil && now.Attempt > before+1
	})
}

func inspected(t *testing.T, h *Host, id string) api.Container {
	t.Helper()
	c, err := h.Inspect(id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// policied is a container with a restart policy that runs until it gets a signal.
func policied(t *testing.T, policy string, steps ...string) api.ContainerOptions {
	opts := program(t, append(steps, "sleep 60")...)
	opts.Restart = policy
	return opts
}

func TestRestartSurvivesTheExecutor(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	c := mustCreate(t, h, policied(t, "always"))
	for attempt := 2; attempt < 4; attempt++ {
		// Both at once: the next executor finds the end, and the policy goes on.
		for _, pid := range []int{h.backends.All()["a"].Info().PID, inspected(t, h, c.ID).PID} {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		wait.Until(t, "it is started again", func() bool {
			now := inspected(t, h, c.ID)
			return now.Attempt == attempt && now.State == api.StateRunning
		})
	}
}

// TestRestartAfterAReboot takes away all that a reboot does: processes, and what
// the executor knows.
func TestRestartAfterAReboot(t *testing.T) {
	cfg := testConfig(t)
	first, err := Open(t.Context(), cfg, Options{bootID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]api.Container{}
	for _, policy := range []string{"no", "always", "unless-stopped", "on-failure"} {
		ids[policy] = mustCreate(t, first, policied(t, policy))
	}
	stopped := mustCreate(t, first, policied(t, "unless-stopped"))
	if err := first.Stop(t.Context(), stopped.ID, time.Second); err != nil {
		t.Fatal(err)
	}
	executorPID := first.backends.All()["a"].Info().PID
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range []int{executorPID, ids["no"].PID, ids["always"].PID, ids["unless-stopped"].PID, ids["on-failure"].PID} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"state/backends/a/workloads", "run"} {
		if err := os.RemoveAll(filepath.Join(filepath.Dir(cfg.StateDir), dir)); err != nil {
			t.Fatal(err)
		}
	}
	second, err := Open(t.Context(), cfg, Options{bootID: "two"})
	if err != nil {
		t.Fatal(err)
	}
	defer stopHost(t, second)
	for policy, c := range ids {
		end, err := second.WaitAttempt(t.Context(), c.ID, 1)
		if err != nil || end.Source != executor.Lost || !strings.HasPrefix(end.Reason, "reboot: ") {
			t.Errorf("%s: got %+v, %v; want it lost with a reboot", policy, end, err)
		}
		if policy == "no" {
			continue
		}
		wait.Until(t, policy+" runs again", func() bool {
			now := inspected(t, second, c.ID)
			return now.Attempt == 2 && now.State == api.StateRunning
		})
	}
	for _, id := range []string{ids["no"].ID, stopped.ID} {
		if c := inspected(t, second, id); c.State != api.StateExited || c.Attempt != 1 {
			t.Errorf("got %+v, want it to stay as it is", c)
		}
	}
}

// TestRestartAfterAStop looks at what the next host starts of what was stopped, by
// the user and by a drain.
func TestRestartAfterAStop(t *testing.T) {
	cfg := testConfig(t)
	first := openHost(t, cfg)
	tests := []struct {
		name, policy string
		stop, again  bool
	}{
		{"always, stopped", "always", true, true},
		{"unless-stopped, stopped", "unless-stopped", true, false},
		{"on-failure, stopped", "on-failure", true, false},
		{"no, drained", "no", false, false},
		{"always, drained", "always", false, true},
		{"unless-stopped, drained", "unless-stopped", false, true},
		{"on-failure, drained", "on-failure", false, true}, // SIGTERM is none of its successes
	}
	ids := map[string]string{}
	for _, tt := range tests {
		c := mustCreate(t, first, policied(t, tt.policy))
		ids[tt.name] = c.ID
		if tt.stop {
			if err := first.Stop(t.Context(), c.ID, time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := first.Drain(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Create(t.Context(), program(t, "exit 0")); err == nil {
		t.Error("a host that was drained started a container")
	}
	for _, tt := range tests {
		if c := inspected(t, first, ids[tt.name]); c.Exit == nil || c.Attempt != 1 {
			t.Errorf("%s: got %+v after the drain, want its end", tt.name, c)
		}
	}
	if err := first.Shutdown(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	second := openHost(t, cfg)
	defer stopHost(t, second)
	for _, tt := range tests {
		if tt.again {
			wait.Until(t, tt.name+" runs again", func() bool {
				c := inspected(t, second, ids[tt.name])
				return c.Attempt == 2 && c.State == api.StateRunning
			})
		}
	}
	for _, tt := range tests {
		if c := inspected(t, second, ids[tt.name]); !tt.again && c.State != api.StateExited {
			t.Errorf("%s: got %+v, want it to stay ended", tt.name, c)
		}
	}
}

// stoppedForGood reports whether a container was stopped, in an attempt that ran or in
// one that was about to, and is not started again.
func stoppedForGood(c api.Container) bool {
	ended := c.State == api.StateExited || c.State == api.StateFailed && strings.Contains(c.Error, "stopped before it was started")
	return ended && c.RestartAt.IsZero()
}

// TestStopWhileItRestarts stops containers in a loop of restarts, at any moment.
func TestStopWhileItRestarts(t *testing.T) {
	h := openHost(t, testConfig(t))
	defer stopHost(t, h)
	for i := range 8 {
		opts := program(t, "exit 1")
		opts.Restart = "always"
		c := mustCreate(t, h, opts)
		time.Sleep(time.Duration(i) * 17 * time.Millisecond)
		if err := h.Stop(t.Context(), c.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		stopped := inspected(t, h, c.ID)
		if !stoppedForGood(stopped) {
			t.Errorf("got %+v, want it to have ended for good", stopped)
		}
		time.Sleep(50 * time.Millisecond)
		if now := inspected(t, h, c.ID); now.Attempt != stopped.Attempt {
			t.Errorf("attempt %d follows the stop", now.Attempt)
		}
	}
}
