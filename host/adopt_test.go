package host

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/internal/cgroup"
	"github.com/davit-run/davit/host/rigs/wait"
)

// lose takes the state from a host that is stopped: the files of the store that match
// patterns are removed, and those that were saved are put back.
func lose(t *testing.T, cfg config.Config, saved map[string][]byte, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(cfg.StateDir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, text := range saved {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// save returns the store of a host as it is now.
func save(t *testing.T, cfg config.Config) map[string][]byte {
	t.Helper()
	path := filepath.Join(cfg.StateDir, storeFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{path: text}
}

// TestAdoptWhatRuns takes a host's state away, or puts an older one back, while
// containers run, with and without their executor.
func TestAdoptWhatRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		lost           []string
		older, killing bool
	}{
		"store missing":                    {lost: []string{"davit.db"}},
		"store missing, executor killed":   {lost: []string{"davit.db"}, killing: true},
		"all of the store missing":         {lost: []string{"davit.db*"}},
		"older store":                      {older: true},
		"older store, executor killed":     {older: true, killing: true},
		"older store, and no id file":      {older: true, lost: []string{"davit.db.*"}},
		"store and copies missing":         {lost: []string{"davit.db", "containers/*/*.json"}},
		"older store, and copies missing":  {older: true, lost: []string{"containers/*/*.json"}},
		"all of it and the copies missing": {lost: []string{"davit.db*", "containers/*/*.json"}, killing: true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			first := openHost(t, cfg)
			kept := program(t, "sleep 600")
			kept.Name, kept.Labels, kept.Restart = "web", map[string]string{"tier": "front"}, "always"
			early := mustCreate(t, first, kept)
			again := mustCreate(t, first, program(t, "sleep 600"))
			ends := mustCreate(t, first, program(t, "trap 15 7 ; sleep 600"))
			gone := mustCreate(t, first, policied(t, "always"))
			saved := save(t, cfg)
			if err := first.Remove(t.Context(), gone.ID, true); err != nil {
				t.Fatal(err)
			}
			kept.Name = "late"
			late := mustCreate(t, first, kept)
			ended := mustCreate(t, first, program(t, "exit 3"))
			mustWait(t, first, ended.ID)
			for _, id := range []string{again.ID, ends.ID} {
				if err := first.Stop(t.Context(), id, 0); err != nil {
					t.Fatal(err)
				}
			}
			again, err := first.Start(t.Context(), again.ID)
			if err != nil {
				t.Fatal(err)
			}
			executorPID := first.backends.All()["a"].Info().PID
			if c, err := cgroup.At(first.backends.All()["a"].Info().Cgroup); err == nil && slices.Contains(tt.lost, "davit.db*") {
				t.Cleanup(c.Remove) // by then nobody knows whose it was
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if tt.killing {
				if err := syscall.Kill(executorPID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if !tt.older {
				saved = nil
			}
			lose(t, cfg, saved, tt.lost...)

			second := openHost(t, cfg)
			defer stopHost(t, second)
			for _, c := range []api.Container{early, again, late} {
				wait.Until(t, "it is known to run", func() bool {
					now, err := second.Inspect(c.ID)
					return err == nil && now.State == api.StateRunning && now.PID == c.PID && now.Attempt == c.Attempt
				})
				if err := syscall.Kill(c.PID, 0); err != nil {
					t.Errorf("%s does not run any more: %v", c.ID, err)
				}
			}
			if !slices.Contains(tt.lost, "containers/*/*.json") {
				for name, c := range map[string]api.Container{"web": early, "late": late} {
					now := inspected(t, second, name)
					if now.ID != c.ID || now.Labels["tier"] != "front" || now.Restart != "always" || !slices.Equal(now.Command, c.Command) || now.Runtime != c.Runtime {
						t.Errorf("got %+v, want what was known of it: %+v", now, c)
					}
				}
				if err := second.Kill(t.Context(), "late", syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				wait.Until(t, "its policy starts it again", func() bool {
					now, err := second.Inspect("late")
					return err == nil && now.Attempt == 2 && now.State == api.StateRunning
				})
			}
			if c, err := second.Inspect(gone.ID); err == nil && (tt.lost == nil || c.State != api.StateExited || c.Attempt != 1) {
				wait.Until(t, "what was removed does not come back", func() bool {
					c := inspected(t, second, gone.ID)
					return c.State == api.StateExited && c.Attempt == 1 && c.RestartAt.IsZero()
				})
			}
			for id, code := range map[string]int{ended.ID: 3, ends.ID: 7} {
				wait.Until(t, "its end is known", func() bool {
					now, err := second.Inspect(id)
					return err == nil && now.State == api.StateExited
				})
				wantCode(t, mustWait(t, second, id), code)
			}
			for _, c := range []api.Container{early, again, late, ended, ends} {
				if err := second.Remove(t.Context(), c.ID, true); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
