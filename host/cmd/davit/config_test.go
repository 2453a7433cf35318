package main

import (
	"os"
	"path/filepath"
	"testing"

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
			if b := cfg.Backends[0]; len(cfg.Backends) != 1 || b.Name != tt.backend || b.Executor != tt.executor {
				t.Errorf("got %+v, want backend %s of %s", cfg.Backends, tt.backend, tt.executor)
			}
		})
	}
}
