package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodList calls [executor.Backend.List].
var MethodList = define(Method[None, []executor.Status]{
	Name:  "list",
	Doc:   "lists every attempt that is ours",
	Limit: End,
	// Some 14 for each of ten thousand attempts, and room.
	MaxReply: 200_000,
	CheckReply: func(_ None, all []executor.Status) error {
		for _, s := range all {
			if err := s.Validate(); err != nil {
				return err
			}
		}
		return nil
	},
	Serve: func(ctx context.Context, b executor.Backend, _ None) ([]executor.Status, error) { return b.List(ctx) },
})

// List implements executor.Backend.
func (c Client) List(ctx context.Context) ([]executor.Status, error) {
	return MethodList.Call(ctx, c, None{})
}
