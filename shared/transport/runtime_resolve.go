package transport

import (
	"context"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
)

// maxRuntime bounds a resolved runtime, which is kept with each container.
const maxRuntime = 256 << 10

// MethodRuntimeResolve calls [executor.RuntimeResolver].
var MethodRuntimeResolve = define(Method[string, executor.Runtime]{
	Name:       "runtime-resolve",
	Doc:        "says what a runtime's name means",
	Capability: executor.CapRuntimeResolve,
	Limit:      Ask,
	MaxReply:   50_000, // what it resolves to is in the executor's own form
	CheckReply: func(_ string, r executor.Runtime) error {
		if len(r.Name) > maxRuntime || len(r.Resolved) > maxRuntime {
			return fmt.Errorf("a runtime has at most %d bytes", maxRuntime)
		}
		return nil
	},
	Serve: upgrade(func(ctx context.Context, b executor.RuntimeResolver, name string) (executor.Runtime, error) {
		return b.ResolveRuntime(ctx, name)
	}),
})
