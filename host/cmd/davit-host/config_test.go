package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/davit-run/davit/host/diag"
	"github.com/spf13/cobra"
)

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"empty", "full"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(dir+"/full/x.hcl", []byte("backend \"mine\" {\n  executor = \"containerd\"\n}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		given      bool
		backend    string // "" if it is refused
		executor   string
	}{
		{"none-installed", "/nothing", false, "main", "shim"},
		{"empty-directory-installed", "/empty", false, "main", "shim"},
		{"installed", "/full", false, "mine", "containerd"},
		{"given", "/full", true, "mine", "containerd"},
		{"given-and-missing", "/nothing", true, "", ""},
		{"given-and-empty", "/empty", true, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := &cobra.Command{}
			configFlag(cmd)
			if tt.given {
				if err := cmd.Flags().Set("config", dir+tt.path); err != nil {
					t.Fatal(err)
				}
			}
			cfg, diags, _ := loadConfig(cmd, dir+tt.path)
			if tt.backend == "" {
				if !diags.HasErrors() {
					t.Errorf("got %+v, want it refused", cfg)
				}
				return
			}
			if diags = append(diags, cfg.Validate()...); len(diags) > 0 {
				t.Fatalf("got %v", diags)
			}
			if self, err := os.Executable(); err != nil || len(cfg.ExecutorDirs) != 2 || cfg.ExecutorDirs[0] != filepath.Dir(self) {
				t.Errorf("executors are looked for in %v, want beside this program, too", cfg.ExecutorDirs)
			}
			if b := cfg.Backends[0]; len(cfg.Backends) != 1 || b.Name != tt.backend || b.Executor != tt.executor {
				t.Errorf("got %+v, want backend %s of %s", cfg.Backends, tt.backend, tt.executor)
			}
		})
	}
}

// TestConfigIsTrusted checks that a config which others can change is refused, in the
// words of who can.
func TestConfigIsTrusted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "conf")
	file := filepath.Join(dir, "a.hcl")
	for name, spoil := range map[string]func() error{
		"":                      func() error { return nil },
		"a.hcl can be written":  func() error { return os.Chmod(file, 0o666) },
		"conf can be written":   func() error { return os.Chmod(dir, 0o777) },
		"belongs to uid 4321":   func() error { return os.Chown(file, 4321, 0) },
		"conf belongs to uid 4": func() error { return os.Chown(dir, 4, 0) },
	} {
		if os.Geteuid() != 0 && strings.Contains(name, "belongs") {
			continue
		}
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755), os.WriteFile(file, []byte("backend \"a\" { executor = \"shim\" }\n"), 0o600), spoil()); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, dir} {
			var diags diag.Diagnostics
			distrust(path, &diags)
			if got := diags.Error(); name == "" && len(diags) > 0 || name != "" && (!diags.HasErrors() || !strings.Contains(got, name)) {
				t.Errorf("%s: got %s, want %q", path, got, name)
			}
		}
	}
	var diags diag.Diagnostics
	if distrust(filepath.Join(t.TempDir(), "none"), &diags); len(diags) > 0 {
		t.Errorf("absent: got %v, which Load reports", diags)
	}
}
