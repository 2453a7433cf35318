package containerd

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/davit-run/davit/executors/internal/execs"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/keyed"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

// Executor returns the containerd executor. version is davit's, shown to users as the executor's.
func Executor(version string) executor.Executor {
	return executor.Executor{
		Name:      "containerd",
		Version:   version,
		Config:    configSchema(),
		Runtime:   runtimes.Schema(),
		Validate:  validate,
		Prototype: &Backend{},
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, env, host)
		},
	}
}

// Backend runs containers through one containerd daemon.
type Backend struct {
	*lifecycle.Backend[*plan, *process]
	*runtimes.Catalog
	driver *driver
}

// driver is the [lifecycle.Driver] of containerd.
type driver struct {
	catalog *runtimes.Catalog
	env     executor.Environment
	config  Config
	owner   oci.Owner
	cgroups *oci.Parent
	conn    *conn
	own     *private // the daemon, if the backend owns it
	cids    cids
	marks   marks
	guard   *spool.Guard
	ooms    *oci.OOMWatcher
	execs   *execs.Driver
	boot    string
	roots   string // where root file systems from images are mounted
	// unpacking has a lock for each image that is being unpacked.
	unpacking keyed.Mutex
	log       hclog.Logger
	// hurried has the ids of containers for which a runtime was killed.
	hurried sync.Map
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
	executor.ImageKeeper
} = (*Backend)(nil)

// Open connects to the containerd that the settings name, or to one of the
// backend's own.
func Open(ctx context.Context, env executor.Environment, host executor.Host) (*Backend, error) {
	config, table, found := oci.ReadSettings(env.Settings, filepath.Join(env.RunDir, "runc"), parseConfig)
	if err := settings.Refuse(found); err != nil {
		return nil, err
	}
	boot, err := linux.BootID()
	if err != nil {
		return nil, err
	}
	state, err := filepath.EvalSymlinks(env.StateDir) // runtimes refuse links in the path of a root
	if err != nil {
		return nil, err
	}
	d := &driver{
		roots:   filepath.Join(state, rootsDir),
		catalog: &runtimes.Catalog{Table: table, Configured: env.Settings.Runtimes},
		env:     env,
		config:  config,
		owner:   oci.Owner{Host: env.HostID, Backend: env.Backend},
		marks:   marks{filepath.Join(env.RunDir, "started")},
		boot:    boot,
		log:     hclog.FromContext(ctx),
	}
	d.cgroups = d.owner.Parent()
	d.catalog.Find, d.catalog.Ready = d.locate, d.reachable
	address := config.Address
	if address == "" {
		if d.own, err = startPrivate(env, config, d.log); err != nil {
			return nil, err
		}
		address = d.own.address()
	}
	d.conn, err = newConn(address, config.Namespace)
	if err == nil {
		if err = d.ready(ctx); err == nil {
			d.guard = spool.NewGuard(d.log, spool.Interval)
			d.cgroups.Tidy()
			d.ooms = oci.NewOOMWatcher()
			d.sweepWrappers(ctx)
			d.execs = execs.New(filepath.Join(env.StateDir, "execs"), boot, d, d.guard, d.log)
			b := &Backend{lifecycle.New(d, host, d.log), d.catalog, d}
			b.Exec(lifecycle.New(d.execs, host, d.log))
			return b, nil
		}
		err = errors.Join(err, d.conn.close())
	}
	if d.own != nil {
		d.own.leave()
		err = executor.Errorf(executor.CodeOf(err), "%w; see the log of the backend's own containerd, %s", err, d.own.logFile())
	}
	return nil, err
}

// ready waits until containerd can be called.
func (d *driver) ready(ctx context.Context) error {
	return d.conn.ready(ctx, d.config.connectTimeout)
}

// wrappers returns the directory of the scripts for runtimes with args.
func (d *driver) wrappers() string { return filepath.Join(d.env.StateDir, "wrappers") }

// sweepWrappers removes the scripts that no container uses. Later containers write
// theirs again.
func (d *driver) sweepWrappers(ctx context.Context) {
	recs, err := d.records(ctx)
	if err == nil {
		used := make(map[string]bool)
		for _, r := range recs {
			used[r.binary] = true
		}
		err = runtimes.Sweep(d.wrappers(), used)
	}
	if err != nil {
		d.log.Warn("unused wrapper scripts cannot be removed", "error", err)
	}
}

// Close ends the watchers. Containers run on. A daemon of the backend's own runs on,
// too, unless it has no tasks left. Records of containers that have ended are on its
// disk.
func (b *Backend) Close(ctx context.Context) error {
	_ = b.Backend.Close(ctx)
	d := b.driver
	d.execs.Close()
	d.guard.Close()
	d.cgroups.Tidy()
	d.ooms.Close()
	if d.own == nil {
		return d.conn.close()
	}
	left, err := d.conn.tasks.List(ctx, &tasksapi.ListTasksRequest{})
	err = errors.Join(err, d.conn.close())
	if err != nil || len(left.GetTasks()) > 0 {
		d.own.leave()
		return err
	}
	return d.own.stop(ctx)
}
