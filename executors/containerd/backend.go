package containerd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Executor gives the containerd executor.
func Executor() executor.Executor {
	return executor.Executor{
		Name:      "containerd",
		Version:   "0.1.0",
		Config:    configSchema(),
		Runtime:   runtimes.Schema(),
		Validate:  validate,
		Prototype: (*Backend)(nil),
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, env, host)
		},
	}
}

// Backend runs containers through one containerd daemon.
type Backend struct {
	env    executor.Environment
	host   executor.Host
	config Config
	owner  oci.Owner
	table  *runtimes.Table
	conn   *conn
	own    *private // the daemon, if the backend owns it
	marks  marks
	guard  *spool.Guard
	prober runtimes.Prober
	boot   string
	log    hclog.Logger

	attempts *oci.Attempts[*oci.Attempt]
}

var _ interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
	executor.Closer
} = (*Backend)(nil)

// Open connects to the containerd that the settings name, or to one of the
// backend's own.
func Open(ctx context.Context, env executor.Environment, host executor.Host) (*Backend, error) {
	config, diags := parseConfig(env.Settings.Config)
	table, more := config.Table(env.Settings, filepath.Join(env.RunDir, "runc"))
	if diags = append(diags, more...); len(diags) > 0 {
		d := diags[0]
		return nil, executor.Errorf(executor.Invalid, "%s: %s", strings.Join(d.Path, "."), d.Message)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, err
	}
	b := &Backend{
		env:      env,
		host:     host,
		config:   config,
		owner:    oci.Owner{Host: env.HostID, Backend: env.Backend},
		table:    table,
		marks:    marks{filepath.Join(env.RunDir, "started")},
		boot:     strings.TrimSpace(string(boot)),
		log:      hclog.FromContext(ctx),
		attempts: oci.NewAttempts[*oci.Attempt](hclog.FromContext(ctx)),
	}
	address := config.Address
	if address == "" {
		if b.own, err = startPrivate(env, config, b.log); err != nil {
			return nil, err
		}
		address = b.own.address()
	}
	b.conn, err = newConn(address, config.Namespace)
	if err == nil {
		if err = b.ready(ctx); err == nil {
			b.guard = spool.NewGuard(b.log, spool.Interval)
			b.sweepWrappers(ctx)
			return b, nil
		}
		err = errors.Join(err, b.conn.close())
	}
	if b.own != nil {
		b.own.leave()
		err = executor.Errorf(executor.CodeOf(err), "%w; see the log of the backend's own containerd, %s", err, b.own.logFile())
	}
	return nil, err
}

// ready waits until containerd can be asked.
func (b *Backend) ready(ctx context.Context) error {
	return b.conn.ready(ctx, b.config.connectTimeout)
}

// wrappers is where scripts for runtimes with args are kept.
func (b *Backend) wrappers() string { return filepath.Join(b.env.StateDir, "wrappers") }

// sweepWrappers removes the scripts that no container uses. Those of containers
// that come later are written again.
func (b *Backend) sweepWrappers(ctx context.Context) {
	recs, err := b.records(ctx)
	if err == nil {
		used := make(map[string]bool)
		for _, r := range recs {
			used[r.binary] = true
		}
		err = runtimes.Sweep(b.wrappers(), used)
	}
	if err != nil {
		b.log.Warn("wrapper scripts could not be tidied up", "error", err)
	}
}

// Close stops watching. Containers run on, and so does the daemon if it is the
// backend's own, unless it has no tasks any more. Records of containers that have
// ended are on its disk.
func (b *Backend) Close(ctx context.Context) error {
	b.attempts.Close()
	b.guard.Close()
	b.owner.RemoveOwnCgroup()
	if b.own == nil {
		return b.conn.close()
	}
	left, err := b.conn.tasks.List(ctx, &tasksapi.ListTasksRequest{})
	err = errors.Join(err, b.conn.close())
	if err != nil || len(left.GetTasks()) > 0 {
		b.own.leave()
		return err
	}
	return b.own.stop(ctx)
}
