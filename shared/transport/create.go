package transport

import (
	"context"
	"fmt"

	"github.com/davit-run/davit/shared/executor"
)

// MethodCreate calls [executor.Backend.Create].
var MethodCreate = define(Method[executor.Workload, executor.Status]{
	Name:       "create",
	Doc:        "creates and starts a workload",
	Lock:       LockContainer,
	Limit:      Start,
	Yields:     true,
	Repeat:     true,
	Ref:        func(w executor.Workload) executor.Ref { return w.Ref },
	Needs:      executor.Workload.Needs,
	Check:      executor.Workload.Validate,
	CheckReply: func(w executor.Workload, s executor.Status) error { return statusOf(w.Ref, s) },
	Serve: func(ctx context.Context, b executor.Backend, w executor.Workload) (executor.Status, error) {
		return b.Create(ctx, w)
	},
})

// Create implements executor.Backend.
func (c Client) Create(ctx context.Context, w executor.Workload) (executor.Status, error) {
	return MethodCreate.Call(ctx, c, w)
}

// statusOf checks a reply that is the status of ref.
func statusOf(ref executor.Ref, s executor.Status) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if s.Ref != ref {
		return fmt.Errorf("it is about %s, the call was about %s", s.Ref, ref)
	}
	return nil
}
