package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// MethodPause calls [executor.Pauser].Pause.
var MethodPause = define(Method[executor.Ref, None]{
	Name:       "pause",
	Doc:        "freezes all processes of an attempt",
	Capability: executor.CapPause,
	Lock:       LockContainer,
	Limit:      Act,
	Ref:        itself,
	Serve: upgrade(func(ctx context.Context, b executor.Pauser, ref executor.Ref) (None, error) {
		return None{}, b.Pause(ctx, ref)
	}),
})

// MethodResume calls [executor.Pauser].Resume.
var MethodResume = define(Method[executor.Ref, None]{
	Name:       "resume",
	Doc:        "lets a paused attempt run on",
	Capability: executor.CapPause,
	Lock:       LockContainer,
	Limit:      Act,
	Ref:        itself,
	Serve: upgrade(func(ctx context.Context, b executor.Pauser, ref executor.Ref) (None, error) {
		return None{}, b.Resume(ctx, ref)
	}),
})
