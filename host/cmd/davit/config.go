package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/config"
	"github.com/spf13/cobra"
)

const defaultConfig = "/etc/davit"

// configFlag adds --config to a command.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", defaultConfig, "config `PATH`: a file, or a directory with files *.hcl")
}

// loadConfig reads the config of a command with --config. Where the user names
// none and none is installed, it is the built-in one.
func loadConfig(cmd *cobra.Command, path string) (cfg *config.Config, diags config.Diagnostics, name string) {
	if !cmd.Flags().Changed("config") && !installed(path) {
		return builtinConfig(), nil, "the built-in config"
	}
	cfg, diags = config.Load(path)
	return cfg, diags, path
}

// installed reports whether there is a config at a path. What cannot be looked
// at counts as one, so that it is complained about.
func installed(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return !errors.Is(err, fs.ErrNotExist)
	}
	files, _ := filepath.Glob(filepath.Join(path, "*.hcl"))
	return len(files) > 0
}

// builtinConfig has one backend that needs no daemon, whose executor is looked
// for beside this program too.
func builtinConfig() *config.Config {
	cfg := &config.Config{Backends: []config.Backend{{Name: "main", Executor: "shim"}}}
	if self, err := os.Executable(); err == nil {
		cfg.ExecutorDirs = append([]string{filepath.Dir(self)}, cfg.WithDefaults().ExecutorDirs...)
	}
	return cfg
}
