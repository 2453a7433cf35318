package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodCloseInput calls [executor.InputCloser].CloseInput.
var MethodCloseInput = define(Method[executor.Ref, None]{
	Name:       "close-input",
	Doc:        "ends the input of a process",
	Capability: executor.CapStdin,
	Lock:       LockProcess,
	Limit:      Act,
	Ref:        itself,
	Serve: upgrade(func(ctx context.Context, b executor.InputCloser, ref executor.Ref) (None, error) {
		return None{}, b.CloseInput(ctx, ref)
	}),
})
