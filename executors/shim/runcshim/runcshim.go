// Package runcshim is containerd's shim for runc as a part of another program.
//
// # Rationale
//
// Why only the packages of the shim, and none of containerd's runtime? A shim
// serves every plugin that is registered in its program, so what is linked here
// must be the shim's alone.
package runcshim

import (
	"context"
	"os"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task"
	"github.com/containerd/containerd/v2/core/events"
	"github.com/containerd/containerd/v2/pkg/shim"
	"github.com/containerd/containerd/v2/pkg/shutdown"
	"github.com/containerd/containerd/v2/plugins"
	"github.com/containerd/containerd/v2/version"
	"github.com/containerd/plugin"
	"github.com/containerd/plugin/registry"
	davit "github.com/davit-run/davit/executors/shim"
	"github.com/davit-run/davit/executors/shim/minishim"
)

const (
	envName  = "DAVIT_SHIM"
	envValue = "io.containerd.runc.v2"
)

// Main must be called first in a program's main. It returns unless the process
// was started to be a shim.
func Main() *davit.Own {
	minishim.Main()
	if os.Getenv(envName) == envValue {
		run()
		os.Exit(0)
	}
	return &davit.Own{Env: envName + "=" + envValue, Mini: minishim.Env, Version: version.Version}
}

func run() {
	registry.Register(&plugin.Registration{
		Type:     plugins.TTRPCPlugin,
		ID:       "task",
		Requires: []plugin.Type{plugins.InternalPlugin},
		InitFn: func(ic *plugin.InitContext) (any, error) {
			sd, err := ic.GetByID(plugins.InternalPlugin, "shutdown")
			if err != nil {
				return nil, err
			}
			tasks, err := task.NewTaskService(ic.Context, noEvents{}, sd.(shutdown.Service))
			return guarded{tasks}, err
		},
	})
	shim.RunShim(context.Background(), manager.NewShimManager(envValue))
}

// noEvents publishes nothing: the executor asks for what it wants to know.
type noEvents struct{}

// Publish implements shim.Publisher.
func (noEvents) Publish(context.Context, string, events.Event) error { return nil }

// Close implements shim.Publisher.
func (noEvents) Close() error { return nil }
