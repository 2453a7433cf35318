package store

import (
	"cmp"
	"time"

	"github.com/davit-run/davit/host/publish"
	"github.com/davit-run/davit/shared/executor"
)

// Desired is what the user wants of a container. The host acts on it; the store only
// keeps it.
type Desired string

const (
	// WantRunning means that it shall run, or be started again as its policy says.
	WantRunning Desired = "running"
	// WantStopped means that it shall not run, and that no policy starts it.
	WantStopped Desired = "stopped"
	// WantRemoved means that it shall end and be removed.
	WantRemoved Desired = "removed"
)

// State is the state of a container's present attempt.
type State string

const (
	// Created means that the container was made and not started yet. It has no attempt.
	Created State = "created"
	// Creating means that the intent is on disk, and that Create was not called or has
	// not answered.
	Creating State = "creating"
	// Running and Paused are the backend's states.
	Running State = State(executor.Running)
	Paused  State = State(executor.Paused)
	// Exited means that the exit is on disk, and that the output may not be complete.
	Exited State = State(executor.Exited)
	// Released means that the attempt is over. Users see it as ended from here on.
	Released State = State(executor.Released)
	// Failed means that the attempt could not be started. Error says why; there is no
	// exit.
	Failed State = "failed"
)

// Container is the record of a container, without its spec.
type Container struct {
	// ID never changes. Name is unique among the containers, and may be empty.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	// RequestID names the request that made the container, so that the same
	// request again finds it. It is unique, never changes, and may be empty.
	RequestID string `json:"request_id,omitempty"`
	// Owner is the user who made it over the API's socket; nil in records of older hosts, and
	// if the program of the host made it. It never changes.
	Owner *int `json:"owner,omitempty"`

	Backend string           `json:"backend"`
	Runtime executor.Runtime `json:"runtime"`
	// Image is what the container was made from; nil if it was no image.
	Image *ImageRef `json:"image,omitempty"`
	// Volumes are the volumes that it has. RemoveVolumes means that those without a name of
	// the user's are removed with it.
	Volumes       []VolumeMount `json:"volumes,omitempty"`
	RemoveVolumes bool          `json:"remove_volumes,omitempty"`
	// Network is the network as it was asked for; empty if the spec alone decides. Leases
	// are its addresses, of which no other container has one.
	Network string  `json:"network,omitempty"`
	Leases  []Lease `json:"leases,omitempty"`
	// Unconnected means that it was disconnected from the last of its networks: that it has
	// no lease is no loss.
	Unconnected bool `json:"unconnected,omitempty"`
	// Attachments are what plugins of CNI have made for leases.
	Attachments []Attachment `json:"attachments,omitempty"`
	// Forced means that it is removed even if what belongs to it cannot be.
	Forced bool `json:"forced,omitempty"`
	// Alone means that its network namespace is one that the host makes, with a loopback and
	// nothing else.
	Alone bool `json:"alone,omitempty"`
	// Joined is the id of the container whose network namespace it has, which lasts for as
	// long as one of those that have it; empty means one of its own. See [Tx.RemoveContainer].
	Joined string `json:"joined,omitempty"`
	Names  Names  `json:"names,omitzero"`
	// PIDMode and IPCMode say whose processes and shared memory it has, as it was asked for;
	// that of another container has its id. ShmBytes is the size of its shared memory; 0 is
	// the default.
	PIDMode  string `json:"pid_mode,omitempty"`
	IPCMode  string `json:"ipc_mode,omitempty"`
	ShmBytes int64  `json:"shm_bytes,omitempty"`
	// Publish are the ports that it publishes as they were asked for, and Ports, if there are
	// any, those that were bound for them last, in the same order.
	Publish []publish.Port `json:"publish,omitempty"`
	Ports   []publish.Port `json:"ports,omitempty"`
	// Command is cut if it is long. The spec has all of it.
	Command    []string          `json:"command,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	AutoRemove bool              `json:"auto_remove,omitempty"`
	Restart    RestartPolicy     `json:"restart,omitzero"`
	// StopSignal and StopTimeout are used to stop it; 0 and nil mean the host's defaults.
	StopSignal  executor.Signal `json:"stop_signal,omitempty"`
	StopTimeout *time.Duration  `json:"stop_timeout,omitempty"`
	// StartTimeout is how long a start may take; zero means the backend's default.
	StartTimeout time.Duration `json:"start_timeout,omitempty"`
	Stdio        Stdio         `json:"stdio,omitzero"`
	// HealthCheck has no field left open; nil means that there is no check.
	HealthCheck *HealthCheck `json:"health_check,omitempty"`
	CreatedAt   time.Time    `json:"created_at"`

	// Attempt counts the starts, from 1; 0 before the first. The fields that follow
	// describe this attempt.
	Attempt    int       `json:"attempt"`
	Desired    Desired   `json:"desired"`
	State      State     `json:"state"`
	PID        int       `json:"pid,omitempty"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
	// Error says why the attempt failed, or what is wrong with it. ErrorCode is the code
	// of the error with which it failed.
	Error     string        `json:"error,omitempty"`
	ErrorCode executor.Code `json:"error_code,omitempty"`
	// Deaths counts the executors that ended while they started the attempt. GivenUp says
	// why its start is not tried any more; while it is still being created, what there is
	// of it has to be removed. Cut means that a stop has cut the start short; what there
	// is of it has to be stopped.
	Deaths  int    `json:"deaths,omitempty"`
	GivenUp string `json:"given_up,omitempty"`
	Cut     bool   `json:"cut,omitempty"`
	// InputClosed means that the input of the attempt is to end where it ends now.
	InputClosed bool `json:"input_closed,omitempty"`
	// Lost describes what is missing of the output, by the name of the stream.
	Lost map[string]executor.Loss `json:"lost,omitempty"`
	// Restarts counts the restarts by policy since a user started it, and Failures those
	// since it last ran long enough. RestartAt is when the policy starts it next.
	Restarts  int       `json:"restarts,omitempty"`
	Failures  int       `json:"failures,omitempty"`
	RestartAt time.Time `json:"restart_at,omitzero"`
	// Again means that the present attempt is to end and another one to be started, since a
	// user wants so, whatever the policy says.
	Again bool `json:"again,omitempty"`
	// Updating means that the spec has limits that the present attempt may not have yet.
	Updating bool `json:"updating,omitempty"`
	// Held means that it is paused for a while, and is to be resumed.
	Held bool `json:"held,omitempty"`
	// Checkpoints are those that it has, the oldest first. Checkpointing is one that is to be
	// made, nil if none is.
	Checkpoints   []Checkpoint `json:"checkpoints,omitempty"`
	Checkpointing *Checkpoint  `json:"checkpointing,omitempty"`
	// From is the checkpoint from which the attempt goes on, and Checkpointed the one by which
	// it has ended.
	From         string `json:"from,omitempty"`
	Checkpointed string `json:"checkpointed,omitempty"`
	// Health is how the attempt was when that last changed; nil means that it is starting.
	Health *Health `json:"health,omitempty"`
}

// Names say how a container resolves names, and by which it is found.
type Names struct {
	// Aliases are names that the others of the network find it by with which it was made,
	// beside its own, and Later those on networks to which it was connected later.
	Aliases []string            `json:"aliases,omitempty"`
	Later   map[string][]string `json:"later,omitempty"`
	// Hosts are lines of its /etc/hosts.
	Hosts []string `json:"hosts,omitempty"`
	// Servers are addresses of name servers, and Search the domains in which they are asked
	// for short names; none mean those of the machine.
	Servers []string `json:"servers,omitempty"`
	Search  []string `json:"search,omitempty"`
}

// ImageRef is the image that a container was made from, as it was then.
type ImageRef struct {
	ID string `json:"id"`
	// Store is where it was: empty means here, and [StoreBackend] on the container's backend,
	// which has the root file system, too.
	Store string `json:"store,omitempty"`
	// Name is what the user wrote.
	Name string `json:"name"`
	// User is the user as it was asked for, or as the image has it. Entrypoint is how many words
	// of the command are the entrypoint; nil, in records of older hosts, is not known.
	User       string `json:"user,omitempty"`
	Entrypoint *int   `json:"entrypoint,omitempty"`
}

// StoreBackend is the Store of an image that a backend has.
const StoreBackend = "backend"

// RootOnBackend reports whether the container's root file system is one that its backend has
// made from an image of its own.
func (c *Container) RootOnBackend() bool { return c.Image != nil && c.Image.Store == StoreBackend }

// VolumeMount is a volume that a container has.
type VolumeMount struct {
	Name string `json:"name"`
	// Target is where it is in the container.
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only,omitempty"`
	// Anonymous means that it was made for the container, without a name of the user's.
	Anonymous bool `json:"anonymous,omitempty"`
}

// Ref returns the reference of the present attempt.
func (c *Container) Ref() executor.Ref { return executor.Ref{ID: c.ID, Attempt: c.Attempt} }

// NetNS names the network namespace of the container: the id of the one that had it first.
func (c *Container) NetNS() string { return cmp.Or(c.Joined, c.ID) }

// RestartPolicy says when a container that ended is started again.
type RestartPolicy struct {
	// Name is "no" or empty, "on-failure", "always" or "unless-stopped".
	Name string `json:"name,omitempty"`
	// MaxRetries bounds on-failure; 0 is no bound.
	MaxRetries int `json:"max_retries,omitempty"`
}

// Stdio is how the standard streams of a container or an exec are laid out.
type Stdio struct {
	// Stdin gives it an input, and Terminal a terminal.
	Stdin    bool `json:"stdin,omitempty"`
	Terminal bool `json:"terminal,omitempty"`
	// KeepInput leaves the input open when that of a client ends.
	KeepInput bool `json:"keep_input,omitempty"`
	// Pipes makes the outputs FIFOs. What nobody reads holds up the process.
	Pipes bool `json:"pipes,omitempty"`
	// Merged puts stderr into stdout's file.
	Merged bool `json:"merged,omitempty"`
	// MaxBytes is the cap of each stream's file, 0 for the host's default.
	MaxBytes int64 `json:"max_bytes,omitempty"`
}
