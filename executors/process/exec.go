package process

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/davit-run/davit/executors/internal/monitor"
	"github.com/davit-run/davit/shared/executor"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Declares implements [executor.Declarer].
func (*Backend) Declares() []executor.Capability { return []executor.Capability{executor.CapExec} }

// exec is a backend.Hooks.Exec. The process has the root, the namespaces, the cgroup and
// the filter of the first one.
func (p *builder) exec(ctx context.Context, w executor.Workload, pid int) (monitor.Job, error) {
	spec := specs.Spec{Version: specs.Version, Root: &specs.Root{Path: "/"}}
	if err := json.Unmarshal(w.Spec, &spec.Process); err != nil {
		return monitor.Job{}, executor.Errorf(executor.Invalid, "spec of a process: %w", err)
	}
	if pid != 0 && p.user.uid == 0 {
		spec.Root.Path = fmt.Sprintf("/proc/%d/root", pid)
	}
	var err error
	if w.Spec, err = json.Marshal(spec); err != nil {
		return monitor.Job{}, err
	}
	job, err := p.job(ctx, w)
	job.Root, job.Contain, job.Cgroup, job.Seccomp = "", nil, monitor.Cgroup{}, nil
	return job, err
}
