package host

import (
	"time"

	"github.com/davit-run/davit/host/internal/output"
	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/ocispec"
	"github.com/davit-run/davit/shared/executor"
)

// ContainerOptions say what to run. Either Bundle or Rootfs is required.
type ContainerOptions struct {
	// Name is unique among the host's containers; empty means that there is none.
	// See ocispec.ValidateName.
	Name string `json:"name,omitempty"`
	// RequestID, if set, makes Create idempotent: the same id again gives the
	// container that it made the first time, whatever became of it.
	RequestID string `json:"request_id,omitempty"`
	// Backend and Runtime are names, empty for the defaults of the host and of the
	// backend.
	Backend string `json:"backend,omitempty"`
	Runtime string `json:"runtime,omitempty"`
	// Bundle is an OCI bundle: a directory with config.json and a root file
	// system. Process overrides what it sets.
	Bundle string `json:"bundle,omitempty"`
	// Rootfs is a directory with a root file system.
	Rootfs  string          `json:"rootfs,omitempty"`
	Process ocispec.Options `json:"process,omitzero"`
	// MergeOutput writes stdout and stderr to one file; see executor.Stdio.
	MergeOutput bool `json:"merge_output,omitempty"`
	// OutputMax is how much of each output stream is kept, in bytes; 0 is the
	// host's default, -1 no limit. See config.Output.
	OutputMax int64 `json:"output_max,omitempty"`
	// AutoRemove removes the container once it has ended.
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	// StopSignal is what Stop sends, SIGTERM if 0. StopTimeout is how long Stop
	// then waits before it kills, DefaultStopTimeout if 0.
	StopSignal  executor.Signal `json:"stop_signal,omitempty"`
	StopTimeout time.Duration   `json:"stop_timeout,omitempty"`
	// Restart is a restart policy, see ParseRestartPolicy. It excludes
	// AutoRemove.
	Restart string `json:"restart,omitempty"`
}

// DefaultStopTimeout is Docker's.
const DefaultStopTimeout = 10 * time.Second

// State is where a container stands, as users see it.
type State string

const (
	StateCreating State = "creating"
	StateRunning  State = "running"
	StatePaused   State = "paused"
	// StateExiting: the first process has ended, its output is not complete yet.
	StateExiting State = "exiting"
	StateExited  State = "exited"
	// StateRestarting: it has ended, and its restart policy starts it again.
	StateRestarting State = "restarting"
	// StateFailed: it could not be started. Error says why.
	StateFailed State = "failed"
)

// Container is a snapshot of a container.
type Container struct {
	ID      string   `json:"id"`
	Name    string   `json:"name,omitempty"`
	Backend string   `json:"backend"`
	Runtime string   `json:"runtime,omitempty"`
	Command []string `json:"command,omitempty"`
	State   State    `json:"state"`
	// Attempt counts the starts, from 1.
	Attempt    int               `json:"attempt"`
	PID        int               `json:"pid,omitempty"`
	CreatedAt  time.Time         `json:"created_at"`
	StartedAt  time.Time         `json:"started_at,omitzero"`
	FinishedAt time.Time         `json:"finished_at,omitzero"`
	Exit       *End              `json:"exit,omitempty"`
	Error      string            `json:"error,omitempty"`
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	// OutputLost is what is missing of the output because it could not be written,
	// by the name of the stream: the disk was full, most likely.
	OutputLost map[string]executor.Loss `json:"output_lost,omitempty"`
	// Output is how much the streams have written and dropped. Inspect alone gives
	// it.
	Output map[string]OutputUsage `json:"output,omitempty"`
	// Restart is the restart policy, Restarts how often it has started the
	// container since a user did, and RestartAt when it does so next.
	Restart   string    `json:"restart,omitempty"`
	Restarts  int       `json:"restarts,omitempty"`
	RestartAt time.Time `json:"restart_at,omitzero"`

	merged bool // the output
}

// OutputUsage describes what became of a stream of output.
type OutputUsage = output.Usage

// End is how an attempt ended.
type End struct {
	executor.Exit
	Attempt int `json:"attempt"`
	// Output says whether all of the output is in the log.
	Output executor.Output `json:"output,omitempty"`
}

// ended reports whether nothing more will happen to the present attempt.
func ended(c *store.Container) bool {
	return c.State == store.Released || c.State == store.Failed
}

// view gives what users see of a record.
func view(tx *store.Tx, r *store.Container) Container {
	c := Container{
		ID: r.ID, Name: r.Name, Backend: r.Backend, Runtime: r.Runtime.Name, Command: r.Command,
		Attempt: r.Attempt, PID: r.PID,
		CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, FinishedAt: r.FinishedAt,
		Error: r.Error, AutoRemove: r.AutoRemove, Labels: r.Labels, OutputLost: r.Lost,
		Restart: r.Restart.Name, Restarts: r.Restarts, RestartAt: r.RestartAt,
		merged: r.Stdio.Merged,
	}
	switch r.State {
	case store.Creating:
		c.State = StateCreating
	case store.Running:
		c.State = StateRunning
	case store.Paused:
		c.State = StatePaused
	case store.Exited:
		c.State, c.PID = StateExiting, 0
	case store.Failed:
		c.State, c.PID = StateFailed, 0
	case store.Released:
		c.State, c.PID = StateExited, 0
		if exit, err := tx.Exit(r.Ref()); err == nil {
			c.Exit = viewEnd(exit)
		}
	}
	if ended(r) && !r.RestartAt.IsZero() {
		c.State = StateRestarting
	}
	return c
}

func viewEnd(e *store.Exit) *End {
	return &End{Exit: e.Exit, Attempt: e.Ref.Attempt, Output: e.Output}
}
