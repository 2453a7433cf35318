package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodRuntimeList calls [executor.RuntimeLister].
var MethodRuntimeList = define(Method[None, []executor.RuntimeInfo]{
	Name:       "runtime-list",
	Doc:        "lists the runtimes",
	Capability: executor.CapRuntimeList,
	Limit:      Ask,
	MaxReply:   50_000,
	Serve: upgrade(func(ctx context.Context, b executor.RuntimeLister, _ None) ([]executor.RuntimeInfo, error) {
		return b.Runtimes(ctx)
	}),
})
