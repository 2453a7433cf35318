package executor

import (
	"context"
	"time"
)

// CapStats is the capability of a [Meter].
var CapStats = capability[Meter]("stats")

// Meter is implemented by backends that can measure what workloads use.
type Meter interface {
	// Stats returns what the processes of an attempt use, measured during the call. An
	// attempt that has ended is [FailedPrecondition], an unknown one [NotFound]. Measuring
	// changes nothing, and a paused attempt can be measured too.
	Stats(ctx context.Context, ref Ref) (Stats, error)
}

// Stats is what the processes of an attempt use. Nil is what is not known, or what there is
// no limit for.
type Stats struct {
	// At is when it was measured.
	At time.Time `json:"at"`
	// PIDs are the processes in the executor's PID namespace, in order.
	PIDs []int `json:"pids,omitempty"`
	// CPU is the processor time used since the start, also by processes that have ended.
	CPU *time.Duration `json:"cpu,omitempty"`
	// Memory is what is in use, in bytes, without what the kernel would take back first:
	// the pages of files that nothing has used for a while.
	Memory      *uint64 `json:"memory,omitempty"`
	MemoryLimit *uint64 `json:"memory_limit,omitempty"`
	// MemoryUsage is all that counts against the limit, in bytes: Memory, and those pages.
	MemoryUsage *uint64 `json:"memory_usage,omitempty"`
	// Tasks are the processes and threads.
	Tasks      *uint64 `json:"tasks,omitempty"`
	TasksLimit *uint64 `json:"tasks_limit,omitempty"`
	// BlockRead and BlockWritten are how much was read from block devices and written to
	// them since the start, in bytes.
	BlockRead    *uint64 `json:"block_read,omitempty"`
	BlockWritten *uint64 `json:"block_written,omitempty"`
}

// Validate checks that s makes sense. The error is [Invalid].
func (s Stats) Validate() error {
	if s.At.IsZero() {
		return Errorf(Invalid, "measured at no time")
	}
	for _, pid := range s.PIDs {
		if pid < 1 || pid > maxPID {
			return Errorf(Invalid, "no process can have the pid %d", pid)
		}
	}
	if s.CPU != nil && *s.CPU < 0 {
		return Errorf(Invalid, "a processor time of %s is not possible", *s.CPU)
	}
	return nil
}
