package transport

import (
	"context"

	"github.com/davit-run/davit/shared/executor"
)

// CheckpointRequest is the body of MethodCheckpoint.
type CheckpointRequest struct {
	Ref executor.Ref `json:"ref"`
	executor.Checkpoint
}

// MethodCheckpoint calls [executor.Checkpointer].Checkpoint.
var MethodCheckpoint = define(Method[CheckpointRequest, None]{
	Name:       "checkpoint",
	Doc:        "writes the state of an attempt's processes to a directory",
	Capability: executor.CapCheckpoint,
	Lock:       LockContainer,
	Limit:      Write,
	Yields:     true,
	Ref:        func(r CheckpointRequest) executor.Ref { return r.Ref },
	Check:      func(r CheckpointRequest) error { return r.Checkpoint.Validate() },
	Serve: upgrade(func(ctx context.Context, b executor.Checkpointer, r CheckpointRequest) (None, error) {
		return None{}, b.Checkpoint(ctx, r.Ref, r.Checkpoint)
	}),
})
