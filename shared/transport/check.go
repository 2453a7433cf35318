package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodCheck calls [executor.Checker].
var MethodCheck = define(Method[None, []executor.Diagnostic]{
	Name:       "check",
	Doc:        "looks at the live system for what would keep workloads from running",
	Capability: executor.CapCheck,
	Limit:      Ask,
	MaxReply:   50_000,
	Serve: upgrade(func(ctx context.Context, b executor.Checker, _ None) ([]executor.Diagnostic, error) {
		return b.Check(ctx)
	}),
})
