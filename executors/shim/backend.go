package shim

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/executors/internal/spool"
	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Executor gives the shim executor. own is the shim within this program, nil if
// there is none: see package runcshim.
func Executor(own *Own) executor.Executor {
	return executor.Executor{
		Name:      "shim",
		Version:   "0.1.0",
		Config:    configSchema(),
		Runtime:   runtimes.Schema(),
		Validate:  validate,
		Prototype: (*Backend)(nil),
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, own, env, host)
		},
	}
}

// Backend runs containers by driving shims.
type Backend struct {
	env    executor.Environment
	host   executor.Host
	config Config
	owner  oci.Owner
	table  *runtimes.Table
	own    *Own
	spares *spares // nil without shims of our own
	state  store
	sink   *sink
	guard  *spool.Guard
	prober runtimes.Prober
	boot   string
	log    hclog.Logger

	attempts *oci.Attempts[*attempt]
}

var _ interface {
	executor.Backend
	executor.RuntimeResolver
	executor.RuntimeLister
	executor.Checker
	executor.Closer
} = (*Backend)(nil)

// Open opens the backend in its directories, and removes what an executor that
// was killed had begun there.
func Open(ctx context.Context, own *Own, env executor.Environment, host executor.Host) (*Backend, error) {
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
	owner := oci.Owner{Host: env.HostID, Backend: env.Backend}
	b := &Backend{
		env:      env,
		host:     host,
		config:   config,
		owner:    owner,
		table:    table,
		own:      own,
		state:    store{dir: filepath.Join(env.StateDir, "containers"), owner: owner},
		boot:     strings.TrimSpace(string(boot)),
		log:      hclog.FromContext(ctx),
		attempts: oci.NewAttempts[*attempt](hclog.FromContext(ctx)),
	}
	if own != nil {
		// The small shim has little to do at once, and every thread costs.
		b.spares = &spares{env: []string{own.Mini, "GOMAXPROCS=1"}}
	}
	if err := b.state.open(); err != nil {
		return nil, err
	}
	if err := b.sweep(); err != nil {
		b.log.Warn("what was left behind cannot be removed", "error", err)
	}
	if b.sink, err = listenSink(filepath.Join(env.RunDir, "events.sock")); err != nil {
		return nil, err
	}
	b.guard = spool.NewGuard(b.log, spool.Interval)
	return b, nil
}

// wrappers is where scripts for runtimes with args are kept.
func (b *Backend) wrappers() string { return filepath.Join(b.env.StateDir, "wrappers") }

// Close stops watching. Containers run on.
func (b *Backend) Close(context.Context) error {
	attempts := b.attempts.Close()
	b.guard.Close()
	for _, a := range attempts {
		a.closeTask()
	}
	if b.spares != nil {
		b.spares.close()
	}
	b.owner.RemoveOwnCgroup()
	return b.sink.close()
}
