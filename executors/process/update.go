package process

import (
	"context"
	"encoding/json"

	"github.com/davit-run/davit/executors/internal/monitor/backend"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
)

// process is a process whose cgroup, if the machine has cgroups, can be frozen and limited.
type process struct {
	backend.FreezableProcess
	builder *builder
}

var _ lifecycle.Updater = process{}

func (p *builder) process(of *backend.Process) process { return process{backend.Freezable(of), p} }

// Update implements [lifecycle.Updater]. Limits that a spec could not have are refused as
// there.
func (p process) Update(_ context.Context, resources json.RawMessage) error {
	spec, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2",
		"process":    map[string]any{"args": []string{"-"}},
		"linux":      map[string]any{"resources": resources},
	})
	if err != nil {
		return executor.Errorf(executor.Invalid, "resources: %w", err)
	}
	sifted, err := fields.Sift(executor.Workload{Spec: spec}, p.builder.ignore)
	if err != nil || sifted.Linux == nil {
		return err
	}
	limits, err := p.builder.cgroups.limits(sifted.Linux.Resources)
	if err != nil {
		return err
	}
	return p.SetLimits(limits)
}

// limit reports whether there is a controller for any limit.
func (c *cgroups) limit() bool { return c.dirs[memory]+c.dirs[pids]+c.dirs[cpu] != "" }
