package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// RestoreRequest is the body of MethodRestore.
type RestoreRequest struct {
	Ref   executor.Ref   `json:"ref"`
	Stdio executor.Stdio `json:"stdio"`
}

// MethodRestore calls [executor.Backend.Restore].
var MethodRestore = define(Method[RestoreRequest, executor.Status]{
	Name:       "restore",
	Doc:        "takes an attempt up again",
	Lock:       LockContainer,
	Limit:      End,
	Ref:        func(r RestoreRequest) executor.Ref { return r.Ref },
	Needs:      func(r RestoreRequest) []executor.Capability { return r.Stdio.Needs() },
	Check:      func(r RestoreRequest) error { return r.Stdio.Validate() },
	CheckReply: func(r RestoreRequest, s executor.Status) error { return statusOf(r.Ref, s) },
	Serve: func(ctx context.Context, b executor.Backend, r RestoreRequest) (executor.Status, error) {
		return b.Restore(ctx, r.Ref, r.Stdio)
	},
})

// Restore implements executor.Backend.
func (c Client) Restore(ctx context.Context, ref executor.Ref, stdio executor.Stdio) (executor.Status, error) {
	return MethodRestore.Call(ctx, c, RestoreRequest{ref, stdio})
}
