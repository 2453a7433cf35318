package wasm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/monitor/backend"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/executors/wasm/internal/engine"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Executor returns the wasm executor. version is davit's, shown to users as the executor's.
func Executor(version string) executor.Executor {
	return executor.Executor{
		Name:      "wasm",
		Version:   version,
		Config:    configSchema(),
		Validate:  validate,
		Prototype: &backend.Backend[*backend.Process]{},
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, env, host)
		},
	}
}

// cacheAge is how long unused compiled modules are kept.
const cacheAge = 30 * 24 * time.Hour

// Open opens the backend in its directories.
func Open(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
	config, found := parseConfig(env.Settings.Config)
	if err := settings.Refuse(found); err != nil {
		return nil, err
	}
	if config.CacheDir == "" {
		config.CacheDir = filepath.Join(env.StateDir, "cache")
	}
	if err := openCache(config.CacheDir); err != nil {
		return nil, executor.Errorf(executor.FailedPrecondition, "cache directory: %w", err)
	}
	if err := engine.Prune(config.CacheDir, cacheAge); err != nil {
		hclog.FromContext(ctx).Warn("cache cannot be pruned", "error", err)
	}
	p := builder{config: config, uid: os.Geteuid(), gid: os.Getegid()}
	return backend.Open(ctx, env, host, backend.Plain, p.job, backend.Hooks{})
}

// openCache creates a directory for compiled modules. It refuses one that others
// could write to, since its content is executed.
func openCache(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s has the mode %s, but must belong to the executor's user and be writable by no other", dir, info.Mode().Perm())
	}
	return nil
}
