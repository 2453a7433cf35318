package process

import (
	"context"
	"os"
	"strings"

	"github.com/davit-run/davit/executors/internal/monitor/backend"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/shared/executor"
)

// Executor gives the process executor.
func Executor() executor.Executor {
	return executor.Executor{
		Name:      "process",
		Version:   "0.1.0",
		Config:    configSchema(),
		Validate:  validate,
		Prototype: (*Backend)(nil),
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, env, host)
		},
	}
}

// Backend runs processes on the host.
type Backend struct {
	*backend.Backend
	*planner
}

// Open opens the backend in its directories.
func Open(ctx context.Context, env executor.Environment, host executor.Host) (*Backend, error) {
	config, diags := parseConfig(env.Settings.Config)
	if len(diags) > 0 {
		d := diags[0]
		return nil, executor.Errorf(executor.Invalid, "%s: %s", strings.Join(d.Path, "."), d.Message)
	}
	owner := oci.Owner{Host: env.HostID, Backend: env.Backend}
	p := &planner{
		ignore:  config.Ignore,
		user:    currentUser(),
		owner:   owner,
		cgroups: openCgroups(owner, config.CgroupParent),
	}
	b, err := backend.Open(ctx, env, host, p.plan)
	if err != nil {
		return nil, err
	}
	return &Backend{Backend: b, planner: p}, nil
}

// Close stops watching. Processes run on.
func (b *Backend) Close(ctx context.Context) error {
	err := b.Backend.Close(ctx)
	b.cgroups.close()
	return err
}

// user is whom the executor runs as.
type user struct {
	uid, gid int
	groups   []int
}

func currentUser() user {
	groups, _ := os.Getgroups()
	return user{uid: os.Geteuid(), gid: os.Getegid(), groups: groups}
}
