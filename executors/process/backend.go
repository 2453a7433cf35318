package process

import (
	"context"
	"os"

	"github.com/davit-run/davit/executors/internal/monitor/backend"
	"github.com/davit-run/davit/executors/internal/oci"
	"github.com/davit-run/davit/executors/internal/settings"
	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Executor returns the process executor. version is davit's, shown to users as the executor's.
func Executor(version string) executor.Executor {
	return executor.Executor{
		Name:      "process",
		Version:   version,
		Config:    configSchema(),
		Validate:  validate,
		Prototype: &Backend{Backend: &backend.Backend[process]{}},
		Open: func(ctx context.Context, env executor.Environment, host executor.Host) (executor.Backend, error) {
			return Open(ctx, env, host)
		},
	}
}

// Backend runs processes on the host.
type Backend struct {
	*backend.Backend[process]
	*builder
}

// Open opens the backend in its directories.
func Open(ctx context.Context, env executor.Environment, host executor.Host) (*Backend, error) {
	config, found := parseConfig(env.Settings.Config)
	if err := settings.Refuse(found); err != nil {
		return nil, err
	}
	owner := oci.Owner{Host: env.HostID, Backend: env.Backend}
	p := &builder{
		ignore:  config.Ignore,
		user:    currentUser(),
		mounts:  mayMount(),
		owner:   owner,
		cgroups: openCgroups(owner, config.CgroupParent),
	}
	b, err := backend.Open(ctx, env, host, p.process, p.job, backend.Hooks{Hold: p.cgroups.hold, Exec: p.exec, Removed: p.cgroups.own.Tidy})
	if err != nil {
		return nil, err
	}
	return &Backend{Backend: b, builder: p}, nil
}

// Offers implements [executor.Selective]: the machine may have no freezer, or no cgroups
// for limits.
func (b *Backend) Offers(c executor.Capability) bool {
	switch {
	case !b.Backend.Offers(c):
		return false
	case b.builder == nil:
		return true
	case c == executor.CapPause:
		return b.cgroups.freezes()
	case c == executor.CapUpdate:
		return b.cgroups.limit()
	}
	return true
}

// Close ends the watchers. Processes run on.
func (b *Backend) Close(ctx context.Context) error {
	err := b.Backend.Close(ctx)
	b.cgroups.own.Tidy()
	return err
}

// user is the user that the executor runs as.
type user struct {
	uid, gid int
	groups   []int
}

// mayMount reports whether this process has CAP_SYS_ADMIN.
func mayMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return err == nil && data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

func currentUser() user {
	groups, _ := os.Getgroups()
	return user{uid: os.Geteuid(), gid: os.Getegid(), groups: groups}
}
