package store

import (
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// Desired is what the user wants of a container. What is done about it is the
// host's business; the store only remembers.
type Desired string

const (
	// WantRunning: it shall run, or be started again as its policy says.
	WantRunning Desired = "running"
	// WantStopped: it shall not run, and no policy starts it.
	WantStopped Desired = "stopped"
	// WantRemoved: it shall end and its record go away.
	WantRemoved Desired = "removed"
)

// State is where a container's present attempt stands.
type State string

const (
	// Creating: the intent is on disk; Create was not called, or has not answered.
	Creating State = "creating"
	// Running and Paused are the backend's states.
	Running State = State(executor.Running)
	Paused  State = State(executor.Paused)
	// Exited: the exit is on disk, the output may not be complete.
	Exited State = State(executor.Exited)
	// Released: the attempt is over. Users see it as ended from here on.
	Released State = State(executor.Released)
	// Failed: the attempt could not be created. Error says why; there is no exit.
	Failed State = "failed"
)

// Container is a container's record, all but its spec.
type Container struct {
	// ID never changes. Name is unique among the containers, and may be empty.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// RequestID names the request that made the container, so that the same
	// request again finds it. It is unique, never changes, and may be empty.
	RequestID string `json:"request_id,omitempty"`

	Backend    string            `json:"backend"`
	Runtime    executor.Runtime  `json:"runtime"`
	Command    []string          `json:"command,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Restart    RestartPolicy     `json:"restart,omitzero"`
	// StopSignal and StopTimeout say how to stop it; zero means the host's default.
	StopSignal  executor.Signal `json:"stop_signal,omitempty"`
	StopTimeout time.Duration   `json:"stop_timeout,omitempty"`
	Stdio       Stdio           `json:"stdio,omitzero"`
	CreatedAt   time.Time       `json:"created_at"`

	// Attempt counts the starts, from 1; 0 before the first. What follows
	// describes this attempt.
	Attempt    int       `json:"attempt"`
	Desired    Desired   `json:"desired"`
	State      State     `json:"state"`
	PID        int       `json:"pid,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Error says why the attempt failed or what is wrong with it, and ErrorCode
	// is the code of why it failed.
	Error     string        `json:"error,omitempty"`
	ErrorCode executor.Code `json:"error_code,omitempty"`
	// Lost is what is missing of the output, by the name of the stream.
	Lost map[string]executor.Loss `json:"lost,omitempty"`
	// Restarts counts the restarts by policy since a user started it, Failures
	// those since it last ran well, and RestartAt is when the policy starts it
	// next.
	Restarts  int       `json:"restarts,omitempty"`
	Failures  int       `json:"failures,omitempty"`
	RestartAt time.Time `json:"restart_at,omitzero"`
}

// Ref gives the reference of the present attempt.
func (c *Container) Ref() executor.Ref { return executor.Ref{ID: c.ID, Attempt: c.Attempt} }

// RestartPolicy says when a container that ended is started again.
type RestartPolicy struct {
	// Name is "no" or empty, "on-failure", "always" or "unless-stopped".
	Name string `json:"name,omitempty"`
	// MaxRetries bounds on-failure; 0 is no bound.
	MaxRetries int `json:"max_retries,omitempty"`
}

// Stdio is how a container's standard streams are laid out.
type Stdio struct {
	// Merged puts stderr into stdout's file.
	Merged bool `json:"merged,omitempty"`
	// OpenStdin gives the container a stdin; TTY a terminal.
	OpenStdin bool `json:"open_stdin,omitempty"`
	TTY       bool `json:"tty,omitempty"`
	// MaxBytes is the cap of each stream's file, 0 for the host's default.
	MaxBytes int64 `json:"max_bytes,omitempty"`
}
