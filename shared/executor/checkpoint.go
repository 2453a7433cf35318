package executor

import (
	"context"
	"path/filepath"
)

// CapCheckpoint is the capability of a [Checkpointer]. A backend that has it also knows
// Workload.Checkpoint; one without it never receives that.
var CapCheckpoint = capability[Checkpointer]("checkpoint")

// Checkpointer is implemented by backends that can write down the state of workloads, and
// start others that go on from there.
type Checkpointer interface {
	// Checkpoint writes the state of all processes of an attempt to the directory c.Dir,
	// which appears when it is complete and on disk, and never before. If it is there
	// already, Checkpoint returns nil and does nothing, whatever has become of the attempt:
	// a call whose outcome is unknown can be repeated.
	//
	// With c.LeaveRunning the attempt runs on. Otherwise it ends, which is reported as any
	// end is, with the exit that the backend has for it. After an error there is nothing at
	// c.Dir, and the attempt runs on as before; the error is [OutcomeUnknown] if that is not
	// known.
	//
	// An attempt that has ended or is paused is [FailedPrecondition], an unknown one
	// [NotFound]. So is [FailedPrecondition] what this machine or what the processes do at the
	// moment makes impossible; the message has the true reason.
	Checkpoint(ctx context.Context, ref Ref, c Checkpoint) error
}

// Checkpoint is the request of a Checkpointer.
type Checkpoint struct {
	// Dir is absolute. Its parent exists, is the container's alone, and outlives the
	// backend. The backend may make other entries there, whose names begin with a dot; the
	// host removes them when no call is under way.
	Dir string `json:"dir"`
	// LeaveRunning lets the attempt run on.
	LeaveRunning bool `json:"leave_running,omitempty"`
}

// Validate checks the path. The error is [Invalid].
func (c Checkpoint) Validate() error { return checkCheckpoint(c.Dir) }

func checkCheckpoint(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" {
		return Errorf(Invalid, "checkpoint %q is not the absolute path of a directory", dir)
	}
	return nil
}
