package api

import (
	"fmt"
	"math"
	"time"

	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// ContainerOptions say what to run. Either Bundle or Rootfs is required.
type ContainerOptions struct {
	// Name is unique among the host's containers; empty means that there is none.
	// See [ocispec.ValidateName].
	Name string `json:"name,omitempty"`
	// RequestID, if set, makes Create idempotent: a second Create with the same id
	// returns the container that the first one made, whatever became of it.
	RequestID string `json:"request_id,omitempty"`
	// Backend and Runtime are names. Empty means the default of the host and of the
	// backend.
	Backend string `json:"backend,omitempty"`
	Runtime string `json:"runtime,omitempty"`
	// Bundle is an OCI bundle: a directory with config.json and a root file system.
	// Process overrides what config.json sets.
	Bundle string `json:"bundle,omitempty"`
	// Rootfs is a directory with a root file system.
	Rootfs  string          `json:"rootfs,omitempty"`
	Process ocispec.Options `json:"process,omitzero"`
	// NoStart makes the container without starting it.
	NoStart bool `json:"no_start,omitempty"`
	// MergeOutput writes stdout and stderr to one file; see executor.Stdio.
	MergeOutput bool `json:"merge_output,omitempty"`
	// OutputMax is how much of each output stream is kept, in bytes. 0 means the host's
	// default, -1 no limit. See config.Output.
	OutputMax int64 `json:"output_max,omitempty"`
	// AutoRemove removes the container once it has ended.
	AutoRemove bool `json:"auto_remove,omitempty"`
	// Labels have at most 64 KiB in all.
	Labels map[string]string `json:"labels,omitempty"`
	// StopSignal is the signal that Stop sends; 0 means SIGTERM. StopTimeout is how long
	// Stop waits before it kills; nil means DefaultStopTimeout, and less than 0 for ever.
	StopSignal  executor.Signal `json:"stop_signal,omitempty"`
	StopTimeout *time.Duration  `json:"stop_timeout,omitempty"`
	// StartTimeout is how long a start may take, its hooks included. One that takes longer
	// fails and is undone, once. 0 means the backend's default.
	StartTimeout time.Duration `json:"start_timeout,omitempty"`
	// Restart is the restart policy, such as RestartAlways. RestartOnFailure may be
	// followed by the most restarts, as in "on-failure:3". A container with a policy
	// cannot have AutoRemove.
	Restart string `json:"restart,omitempty"`
}

// Validate checks what can be checked before anything is read or made.
func (o *ContainerOptions) Validate() error {
	if err := checkText(o); err != nil {
		return err
	}
	if o.StopSignal != 0 {
		if err := checkSignal(o.StopSignal); err != nil {
			return fmt.Errorf("stop signal: %w", err)
		}
	}
	return nil
}

const (
	// DefaultStopTimeout is the same as Docker's.
	DefaultStopTimeout = 10 * time.Second
	// OwnStopTimeout, as the timeout of Stop or Drain, is that of each container.
	OwnStopTimeout time.Duration = math.MinInt64
)

// State is the state of a container as users see it.
type State string

const (
	// StateCreated means that it was made with NoStart, and not started since.
	StateCreated  State = "created"
	StateCreating State = "creating"
	StateRunning  State = "running"
	StatePaused   State = "paused"
	// StateExiting means that the first process has ended, and that the output is not
	// complete yet.
	StateExiting State = "exiting"
	StateExited  State = "exited"
	// StateRestarting means that it has ended, and that its restart policy will start it
	// again.
	StateRestarting State = "restarting"
	// StateUnknown means that it had not ended when somebody last looked, and that nobody
	// looks now. Error says why. It most likely runs on.
	StateUnknown State = "unknown"
	// StateFailed means that it could not be started. Error says why.
	StateFailed State = "failed"
)

// Container is a snapshot of a container.
type Container struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Backend string `json:"backend"`
	Runtime string `json:"runtime,omitempty"`
	// Command is the beginning of a command of more than 4 KiB.
	Command []string `json:"command,omitempty"`
	State   State    `json:"state"`
	// Attempt counts the starts, from 1; 0 before the first.
	Attempt    int               `json:"attempt"`
	PID        int               `json:"pid,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	StartedAt  time.Time         `json:"started_at,omitzero"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	Exit       *End              `json:"exit,omitempty"`
	Error      string            `json:"error,omitempty"`
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	// OutputLost describes output that could not be written, most likely because the
	// disk was full, by the name of the stream.
	OutputLost map[string]executor.Loss `json:"output_lost,omitempty"`
	// Output describes how much output was written and dropped, by the name of the
	// stream. Only Inspect sets it.
	Output map[string]OutputUsage `json:"output,omitempty"`
	// Restart is the restart policy. Restarts is how often the policy has started the
	// container since a user did, and RestartAt when it does so next.
	Restart   string    `json:"restart,omitempty"`
	Restarts  int       `json:"restarts,omitempty"`
	RestartAt time.Time `json:"restart_at,omitzero"`
}

// OutputUsage describes how much of a stream of output was written and dropped.
type OutputUsage struct {
	// Written is the number of bytes that were ever written, Dropped how many of them,
	// from the start, are not kept any more.
	Written int64 `json:"written"`
	Dropped int64 `json:"dropped,omitempty"`
	// Lost describes what could not be written.
	Lost executor.Loss `json:"lost,omitzero"`
}

// End is the end of an attempt.
type End struct {
	executor.Exit
	Attempt int `json:"attempt"`
	// Output says whether all of the output is in the log.
	Output executor.Output `json:"output,omitempty"`
}
