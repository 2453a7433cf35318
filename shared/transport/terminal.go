package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// ResizeRequest is the body of MethodResize.
type ResizeRequest struct {
	Ref  executor.Ref          `json:"ref"`
	Size executor.TerminalSize `json:"size"`
}

// MethodResize calls [executor.Resizer].Resize.
var MethodResize = define(Method[ResizeRequest, None]{
	Name:       "resize",
	Doc:        "sets the size of a process's terminal",
	Capability: executor.CapTerminal,
	Lock:       LockProcess,
	Limit:      Act,
	Ref:        func(r ResizeRequest) executor.Ref { return r.Ref },
	Check:      func(r ResizeRequest) error { return r.Size.Validate() },
	Serve: upgrade(func(ctx context.Context, b executor.Resizer, r ResizeRequest) (None, error) {
		return None{}, b.Resize(ctx, r.Ref, r.Size)
	}),
})
