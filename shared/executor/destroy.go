package executor

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// destroyPoll is how often Destroy checks whether a killed workload has ended.
const destroyPoll = 20 * time.Millisecond

// Destroy kills an attempt if it runs, and deletes it. An unknown attempt is not an
// error.
func Destroy(ctx context.Context, b Backend, ref Ref) error {
	for {
		err := b.Delete(ctx, ref)
		if !errors.Is(err, FailedPrecondition) {
			return err
		}
		if err := b.Signal(ctx, ref, syscall.SIGKILL); err != nil && !errors.Is(err, FailedPrecondition) && !errors.Is(err, NotFound) {
			return err
		}
		select {
		case <-time.After(destroyPoll):
		case <-ctx.Done():
			return err
		}
	}
}
