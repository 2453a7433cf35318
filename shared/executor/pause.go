package executor

import "context"

// CapPause is the capability of a [Pauser].
var CapPause = capability[Pauser]("pause")

// Pauser is implemented by backends that can freeze workloads.
type Pauser interface {
	// Pause freezes all processes of an attempt. When it returns nil none of them
	// runs, and the state is [Paused] until Resume. Pausing a paused attempt changes
	// nothing. An attempt that has ended is [FailedPrecondition], an unknown one
	// [NotFound]. Signals wait for Resume, but SIGKILL ends a paused attempt too.
	Pause(ctx context.Context, ref Ref) error

	// Resume lets a paused attempt continue. Its errors are those of Pause. Resuming
	// a running attempt changes nothing.
	Resume(ctx context.Context, ref Ref) error
}
