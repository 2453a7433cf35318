package host

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/shared/executor"
)

// executors returns the process of each backend's executor.
func executorsOf(t *testing.T, h *Host) map[string]int {
	t.Helper()
	infos, err := h.Backends()
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	for _, i := range infos {
		if i.State != api.BackendRemoved {
			if err := h.WaitBackend(t.Context(), i.Name); err != nil {
				t.Fatal(err)
			}
			pids[i.Name] = h.backends.All()[i.Name].Info().PID
		}
	}
	return pids
}

func mustReload(t *testing.T, h *Host, cfg config.Config) string {
	t.Helper()
	report, err := h.Reload(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]string, len(report.Changes))
	for i, c := range report.Changes {
		lines[i] = c.String()
	}
	return strings.Join(lines, "\n")
}

// TestReload changes a config under running containers, and back.
func TestReload(t *testing.T) {
	cfg := testConfig(t, "b", "c")
	h := openHost(t, cfg)
	defer stopHost(t, h)
	running := map[string]api.Container{}
	for _, name := range []string{"a", "b"} {
		opts := program(t, "sleep 600")
		opts.Backend = name
		running[name] = mustCreate(t, h, opts)
	}
	before := executorsOf(t, h)
	if got := mustReload(t, h, cfg); got != "" {
		t.Errorf("the same config: got %s", got)
	}
	if after := executorsOf(t, h); !maps.Equal(before, after) {
		t.Errorf("the same config: executors were %v and are %v", before, after)
	}

	next := cfg
	next.StateDir = t.TempDir()
	next.Retention.Ended = "5h"
	next.Network.Pool = []string{"10.77.0.0/16"}
	next.Backends = []config.Backend{
		{Name: "a", Executor: "memory", Config: map[string]any{"create_delay": "1ms"}},
		{Name: "c", Executor: "memory", StartTimeout: "7s"},
		{Name: "d", Executor: "memory"},
	}
	want := `state_dir: needs a restart of the host (` + cfg.StateDir + ` to ` + next.StateDir + `)
retention.ended: changed (720h to 5h)
network.pool: changed ([10.209.0.0/16 192.168.208.0/20] to [10.77.0.0/16], for new networks)
backend a: restarted (config)
backend b: removed (1 container of it left running)
backend c: changed (start_timeout)
backend d: added`
	if got := mustReload(t, h, next); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	after := executorsOf(t, h)
	if after["a"] == before["a"] || after["c"] != before["c"] || after["d"] == 0 || after["b"] != 0 {
		t.Errorf("executors were %v and are %v", before, after)
	}
	if !lives(before["b"]) {
		t.Error("the executor of the removed backend has ended, under its container")
	}
	for name, want := range map[string]api.State{"a": api.StateRunning, "b": api.StateUnknown} {
		if c, err := h.Inspect(running[name].ID); err != nil || c.State != want {
			t.Errorf("the container of %s is %s, want %s (%v)", name, c.State, want, err)
		}
	}
	opts := program(t, "exit 4")
	opts.Backend = "d"
	wantCode(t, mustWait(t, h, mustCreate(t, h, opts).ID), 4)

	if got := mustReload(t, h, cfg); !strings.Contains(got, "backend b: added") || !strings.Contains(got, "backend d: removed") {
		t.Errorf("got %s", got)
	}
	if lives(after["d"]) {
		t.Error("the executor of a removed backend without containers lives on")
	}
	if c, err := h.Inspect(running["b"].ID); err != nil || c.State != api.StateRunning || executorsOf(t, h)["b"] != before["b"] {
		t.Errorf("the backend is back, and the container is %s (%v)", c.State, err)
	}
}

// TestReloadRefuses: a config that cannot be used changes nothing.
func TestReloadRefuses(t *testing.T) {
	cfg := testConfig(t, "b")
	h := openHost(t, cfg)
	defer stopHost(t, h)
	mustCreate(t, h, program(t, "sleep 600"))
	before := executorsOf(t, h)
	other := filepath.Join(cfg.ExecutorDirs[0], "davit-executor-other")
	if err := os.Symlink("davit-executor-memory", other); err != nil {
		t.Fatal(err)
	}
	file, diags := config.Parse([]byte(`
backend "a" { executor = "memory" }
backend "new" {
  executor = "memory"
  config {
    creat_delay = "1s"
  }
}`), "/etc/davit/x.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	file.StateDir, file.RunDir, file.ExecutorDirs = cfg.StateDir, cfg.RunDir, cfg.ExecutorDirs
	for _, c := range []struct {
		name, want string
		cfg        config.Config
	}{
		{"a value", `output.max_size: "7x" is not a size`, with(cfg, func(c *config.Config) { c.Output.MaxSize = "7x" })},
		{"a setting that no executor knows", `/etc/davit/x.hcl:6,5: unknown attribute "creat_delay"`, *file},
		{"no such executor", "davit-executor-absent", with(cfg, func(c *config.Config) { c.Backends[1].Executor = "absent" })},
		{"no such user", `user "nobody-like-that"`, with(cfg, func(c *config.Config) { c.Backends[1].User = "nobody-like-that" })},
		{"executor_dirs without executors", "davit-executor-memory", with(cfg, func(c *config.Config) { c.ExecutorDirs = []string{t.TempDir()} })},
		{"another executor under a container", "cannot change from executor memory to other", with(cfg, func(c *config.Config) { c.Backends[0].Executor = "other" })},
		{"nothing", "no backend is configured", config.Config{StateDir: cfg.StateDir, RunDir: cfg.RunDir}},
	} {
		// What else it changes must not count either.
		c.cfg.ForbidHooks = true
		c.cfg.Backends = append(c.cfg.Backends, config.Backend{Name: "z", Executor: "memory"})
		if c.name == "nothing" {
			c.cfg.Backends = nil
		}
		_, err := h.Reload(t.Context(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, executor.Invalid) {
			t.Errorf("%s: got %v, want it to say %s", c.name, err, c.want)
		}
	}
	if after := executorsOf(t, h); !maps.Equal(before, after) {
		t.Errorf("executors were %v and are %v", before, after)
	}
	if h.backends.Config().ForbidHooks {
		t.Error("a part of a refused config is in force")
	}
	if got := mustReload(t, h, cfg); got != "" {
		t.Errorf("the old config differs from what is in force: %s", got)
	}
}

// TestReloadOfAnEphemeralHost: a backend that is removed would take its containers along.
func TestReloadOfAnEphemeralHost(t *testing.T) {
	cfg := testConfig(t, "b")
	h, err := Open(t.Context(), cfg, Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	opts := program(t, "sleep 600")
	opts.Backend = "b"
	c := mustCreate(t, h, opts)
	without := with(cfg, func(c *config.Config) { c.Backends = c.Backends[:1] })
	if _, err := h.Reload(t.Context(), without); err == nil || !strings.Contains(err.Error(), "this host is ephemeral") {
		t.Errorf("got %v", err)
	}
	if err := h.Remove(t.Context(), c.ID, true); err != nil {
		t.Fatal(err)
	}
	if got := mustReload(t, h, without); got != "backend b: removed" {
		t.Errorf("without containers: got %s", got)
	}
}

func with(cfg config.Config, change func(*config.Config)) config.Config {
	cfg.Backends = slices.Clone(cfg.Backends)
	change(&cfg)
	return cfg
}

// TestReloadsAtOnce starts containers while their backend is restarted, removed and added.
func TestReloadsAtOnce(t *testing.T) {
	cfg := testConfig(t, "b")
	h := openHost(t, cfg)
	defer func() { stopHost(t, h) }()
	variants := []config.Config{
		cfg,
		with(cfg, func(c *config.Config) { c.Backends[1].Config = map[string]any{"create_delay": "5ms"} }),
		with(cfg, func(c *config.Config) { c.Backends = c.Backends[:1] }),
	}
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			for j := range 2 {
				if _, err := h.Reload(t.Context(), variants[(i+j)%len(variants)]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	ids := make(chan string, 100)
	for range 2 {
		wg.Go(func() {
			for range 3 {
				opts := program(t, "exit 9")
				opts.Backend = "b"
				// A refusal is an answer; one that was made must run.
				if c, err := h.Create(t.Context(), opts); err == nil {
					ids <- c.ID
				}
			}
		})
	}
	wg.Wait()
	close(ids)
	mustReload(t, h, cfg)
	for id := range ids {
		wantCode(t, mustWait(t, h, id), 9)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Reload(context.Background(), cfg); !errors.Is(err, executor.Unavailable) {
		t.Errorf("after Close: got %v, want unavailable", err)
	}
	h = openHost(t, cfg) // for the one who stops it
}

// TestReloadKnowsEachSetting fails for an attribute of the config that Reload would miss.
func TestReloadKnowsEachSetting(t *testing.T) {
	known := map[string]bool{
		"defaults": true, "-": true, // with the backends
		"log": true, "api": true, // the program's
	}
	for _, s := range settings {
		known[s.name()] = true
	}
	var look func(typ reflect.Type, prefix string)
	look = func(typ reflect.Type, prefix string) {
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case !f.IsExported() || known[prefix+name]:
			case f.Type.Kind() == reflect.Struct:
				look(f.Type, prefix+name+".")
			default:
				t.Errorf("a change of %s%s has no effect", prefix, name)
			}
		}
	}
	look(reflect.TypeFor[config.Config](), "")
}
