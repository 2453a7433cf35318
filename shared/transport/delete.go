package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodDelete calls [executor.Backend.Delete].
var MethodDelete = define(Method[executor.Ref, None]{
	Name:     "delete",
	Doc:      "removes what is left of an attempt that has ended",
	Lock:     LockContainer,
	Limit:    End,
	Ref:      itself,
	Preempts: func(executor.Ref) bool { return true },
	Serve: func(ctx context.Context, b executor.Backend, ref executor.Ref) (None, error) {
		return None{}, b.Delete(ctx, ref)
	},
})

// Delete implements executor.Backend.
func (c Client) Delete(ctx context.Context, ref executor.Ref) error {
	_, err := MethodDelete.Call(ctx, c, ref)
	return err
}
