package lifecycle

import (
	"context"
	"os"

	"github.com/davit-run/davit/shared/executor"
)

// Checkpointer is implemented by processes whose state can be written down. Their driver
// heeds Workload.Checkpoint.
type Checkpointer interface {
	// Checkpoint writes the state of the process and all that it has started to c.Dir, as
	// [executor.Checkpointer] says. The error is [ErrEnded] if the process has ended.
	Checkpoint(ctx context.Context, c executor.Checkpoint) error
}

var checkpointing = forwards[Checkpointer](executor.CapCheckpoint)

// Checkpoint implements [executor.Checkpointer].
func (b *Backend[J, P]) Checkpoint(ctx context.Context, ref executor.Ref, c executor.Checkpoint) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if _, err := os.Lstat(c.Dir); err == nil {
		return nil // it was made by an earlier call
	}
	return forward(ctx, b, checkpointing, ref, func(p Checkpointer, a *attempt[P]) error {
		if a != nil && a.status().State == executor.Paused {
			return executor.Errorf(executor.FailedPrecondition, "%s is paused; resume it first", ref)
		}
		return p.Checkpoint(ctx, c)
	})
}
