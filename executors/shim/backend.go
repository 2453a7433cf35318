package shim

import (
	"context"
	"path/filepath"

	"github.com/davit-run/davit/executors/internal/execs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

// Executor returns the shim executor. Davit's own shim is a process of the same
// program: its main must call [minishim.Main] first. version is davit's, shown to
// users as that of the executor and of its shim.
func Executor(version string) executor.Executor {
	return executor.Executor{
		Name:      "shim",
		Version:   version,
		Config:    configSchema(),
		Runtime:   runtimes.Schema(),
		Validate:  validate,
		Prototype: &Backend{},
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, version, env, host)
		},
	}
}

// Backend runs containers by driving shims.
type Backend struct {
	*lifecycle.Backend[*plan, *process]
	*runtimes.Catalog
	driver *driver
}

// driver is the [lifecycle.Driver] of shims.
type driver struct {
	catalog *runtimes.Catalog
	env     executor.Environment
	config  Config
	owner   oci.Owner
	cgroups *oci.Parent
	version string // of davit
	pool    pool
	state   store
	sink    *sink
	guard   *spool.Guard
	ooms    *oci.OOMWatcher
	execs   *execs.Driver
	boot    string
	log     hclog.Logger
}

var _ interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
	executor.Closer
	executor.Pauser
	executor.Updater
	executor.Checkpointer
	executor.StrayKeeper
	executor.InputCloser
	executor.Resizer
	executor.Declarer
} = (*Backend)(nil)

// Open opens the backend in its directories, and removes what an executor that
// was killed had begun there.
func Open(ctx context.Context, version string, env executor.Environment, host executor.Host) (*Backend, error) {
	config, table, found := oci.ReadSettings(env.Settings, filepath.Join(env.RunDir, "runc"), parseConfig)
	if err := settings.Refuse(found); err != nil {
		return nil, err
	}
	boot, err := linux.BootID()
	if err != nil {
		return nil, err
	}
	owner := oci.Owner{Host: env.HostID, Backend: env.Backend}
	d := &driver{
		catalog: &runtimes.Catalog{Table: table, Configured: env.Settings.Runtimes},
		env:     env,
		config:  config,
		owner:   owner,
		cgroups: owner.Parent(),
		version: version,
		state:   store{filepath.Join(env.StateDir, "containers")},
		boot:    boot,
		log:     hclog.FromContext(ctx),
	}
	d.catalog.Find = d.locate
	if err := d.state.open(); err != nil {
		return nil, err
	}
	if err := d.sweep(); err != nil {
		d.log.Warn("remains of earlier containers cannot be removed", "error", err)
	}
	d.cgroups.Tidy()
	if d.sink, err = listenSink(filepath.Join(env.RunDir, "events.sock")); err != nil {
		return nil, err
	}
	d.guard = spool.NewGuard(d.log, spool.Interval)
	d.ooms = oci.NewOOMWatcher()
	d.execs = execs.New(filepath.Join(env.StateDir, "execs"), boot, d, d.guard, d.log)
	b := &Backend{lifecycle.New(d, host, d.log), d.catalog, d}
	b.Exec(lifecycle.New(d.execs, host, d.log))
	return b, nil
}

// wrappers returns the directory of the scripts for runtimes with args.
func (d *driver) wrappers() string { return filepath.Join(d.env.StateDir, "wrappers") }

// Close ends the watchers. Containers run on.
func (b *Backend) Close(ctx context.Context) error {
	_ = b.Backend.Close(ctx)
	d := b.driver
	d.execs.Close()
	d.guard.Close()
	d.pool.close()
	d.cgroups.Tidy()
	d.ooms.Close()
	return d.sink.close()
}
