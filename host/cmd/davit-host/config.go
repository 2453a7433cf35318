package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/access"
	"github.com/davit-run/davit/host/config"
	"github.com/davit-run/davit/host/diag"
	"github.com/davit-run/davit/host/internal/places"
	"github.com/davit-run/davit/shared/trust"
	"github.com/spf13/cobra"
)

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().StringP("config", "c", places.Config(), "config `PATH`: a file, or a directory with files *.hcl (default: /etc/davit, or, without root, ~/.config/davit)")
	cmd.Flags().Lookup("config").DefValue = "" // manual pages are for all users
	return path
}

// loadConfig loads the config of a command with --config. If the user names none and none
// is installed, it returns the built-in one.
func loadConfig(cmd *cobra.Command, path string) (cfg *config.Config, diags diag.Diagnostics, name string) {
	if !cmd.Flags().Changed("config") && !installed(path) {
		return builtinConfig(), nil, "the built-in config"
	}
	cfg, diags = config.Load(path)
	searchBeside(cfg)
	distrust(path, &diags)
	if !diags.HasErrors() {
		diags = append(diags, access.Check(*cfg)...)
	}
	return cfg, diags, path
}

// distrust reports a config that somebody else can change: it says which programs run,
// and as which users.
func distrust(path string, diags *diag.Diagnostics) {
	files, _ := filepath.Glob(filepath.Join(path, "*.hcl"))
	look := trust.Resolve
	if len(files) == 0 {
		files, look = []string{path}, trust.File
	}
	for _, file := range files {
		abs, err := filepath.Abs(file)
		if err == nil {
			_, err = look(abs)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // which was reported
			diags.Fail(diag.Range{File: file}, "", "cannot be trusted: %v", err)
		}
	}
}

// installed reports whether there is a config at a path. A path that cannot be read counts
// as one, so that the user sees the error.
func installed(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return !errors.Is(err, fs.ErrNotExist)
	}
	files, _ := filepath.Glob(filepath.Join(path, "*.hcl"))
	return len(files) > 0
}

// builtinConfig returns a config whose backends need no daemon, and no root if this process has
// none.
func builtinConfig() *config.Config {
	cfg := &config.Config{Backends: []config.Backend{{Name: "main", Executor: "shim"}}}
	if os.Geteuid() != 0 {
		cfg.DefaultBackend = "main"
		cfg.Backends = []config.Backend{
			// Without root no other files can be its root than this machine's.
			{Name: "main", Executor: "process", Config: map[string]any{"ignore": []string{"usual", "root"}}},
			{Name: "wasm", Executor: "wasm"},
		}
	}
	searchBeside(cfg)
	return cfg
}

// searchBeside has executors looked for beside this program first, unless the config says
// where they are.
func searchBeside(cfg *config.Config) {
	if self, err := os.Executable(); err == nil && len(cfg.ExecutorDirs) == 0 {
		cfg.ExecutorDirs = append([]string{filepath.Dir(self)}, cfg.WithDefaults().ExecutorDirs...)
	}
}
