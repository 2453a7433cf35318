package containerd

import (
	"context"

	"github.com/davit-run/davit/executors/internal/runtimes"
	"github.com/davit-run/davit/shared/executor"
)

// ResolveRuntime implements [executor.RuntimeResolver].
func (b *Backend) ResolveRuntime(ctx context.Context, name string) (executor.Runtime, error) {
	r, err := b.table.Resolve(name)
	if err != nil {
		return executor.Runtime{}, err
	}
	if name == "" {
		name = b.table.Default()
	}
	body, err := r.Encode()
	return executor.Runtime{Name: name, Resolved: body}, err
}

// drainCap gives the cap of the shim that a runtime starts now.
func (b *Backend) drainCap(runtimes.Resolved) drainCap { return drainShort }
