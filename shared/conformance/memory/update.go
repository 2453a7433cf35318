package memory

import (
	"context"
	"encoding/json"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/lifecycle"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Update implements [lifecycle.Updater]. Workloads use nothing that could be limited: what
// the limits are is all that there is to it.
func (p *process) Update(_ context.Context, resources json.RawMessage) error {
	if p.exit() != nil {
		return lifecycle.ErrEnded
	}
	limits := p.limits()
	if err := json.Unmarshal(resources, &limits); err != nil {
		return executor.Errorf(executor.Invalid, "resources: %w", err)
	}
	return writeJSON(p.limitsFile(), limits)
}

// limits returns the limits that were set.
func (p place) limits() (r specs.LinuxResources) {
	_ = readJSON(p.limitsFile(), &r) // there is none before the first
	return r
}

func (p place) limitsFile() string { return filepath.Join(p.Dir, "limits.json") }
