package executor

import (
	"context"
	"encoding/json"
)

// Executor describes an executor program. Its fields are read once, before the
// first call, and must not be changed afterwards.
type Executor struct {
	// Name is what `executor = "NAME"` in a host's config says. The program is
	// installed as davit-executor-NAME. Required.
	Name string
	// Version is the program's own version, shown to users. Free text.
	Version string
	// Config declares the attributes of a backend's config block.
	Config Schema
	// Runtime declares the attributes of a backend's runtime blocks. An executor
	// without runtimes leaves it nil, and runtime blocks are then refused.
	Runtime *Schema
	// Validate checks what a Schema cannot say. It must do no I/O: it is called
	// for `davit validate` on machines where the backend does not exist. Nil
	// means that the schemas say everything. Values that a schema refuses never
	// reach it.
	Validate func(Settings) []Diagnostic
	// Prototype is a value of the type that Open returns, such as a nil pointer. It
	// shows, before a backend is opened, which capabilities there may be. Only Offers
	// and Declares are called on it. Nil means that the capabilities are known only
	// after Open. An opened backend has no others, and may have fewer, where the
	// machine lacks something.
	Prototype Backend
	// Open connects to the backend and returns it. It is called once in the life of
	// the process, with settings that passed Validate. ctx bounds the call alone;
	// what Open starts in the background ends in [Closer]. Required.
	Open func(ctx context.Context, env Environment, host Host) (Backend, error)
}

// Settings are what the host's config says about one backend. Bodies are JSON objects
// with only the attributes that the executor's schemas declare. Absent attributes are
// left out, so the executor applies the defaults.
type Settings struct {
	Config         json.RawMessage   `json:"config,omitempty"`
	Runtimes       []RuntimeSettings `json:"runtimes,omitempty"`
	DefaultRuntime string            `json:"default_runtime,omitempty"`
}

// RuntimeSettings is one runtime block.
type RuntimeSettings struct {
	Name string          `json:"name"`
	Body json.RawMessage `json:"body,omitempty"`
}

// Environment tells a backend where it lives.
type Environment struct {
	// HostID is stable for a host's state directory. HostID and Backend together mark
	// resources as this backend's own.
	HostID string `json:"host_id"`
	// Backend is the backend's name in the host's config.
	Backend string `json:"backend"`
	// StateDir is the only place for files that must survive a reboot, RunDir
	// the only place for sockets and files that must not. Both exist, belong to
	// this backend alone, and have mode 0700. RunDir is short enough for a Unix
	// socket with a name of up to 24 bytes in it.
	StateDir string `json:"state_dir"`
	RunDir   string `json:"run_dir"`
	// Settings passed the executor's schemas and its Validate.
	Settings Settings `json:"settings"`
	// Ephemeral says that workloads must not outlive the host. The plugin kit
	// enforces that; executors may leave out what serves survival alone.
	Ephemeral bool `json:"ephemeral,omitempty"`
}

// CgroupName returns the name of the cgroup that a host makes for the executor of a
// backend, and that the executor removes if it ends when there is no host.
func (e Environment) CgroupName() string { return "executor." + e.HostID + "." + e.Backend }

// Backend is an opened backend. All methods may be called concurrently, but the
// plugin kit never runs two of Create, Restore and Delete for the same id at once, so
// an implementation needs no locks of its own for that. A Signal waits for none of
// them. It may arrive in the middle of a Create, and is [NotFound] as long as there
// is no process to signal. Before a SIGKILL and a Delete the kit ends the ctx of a
// Create under way for that attempt, and waits until it has returned. So a Create that
// heeds its ctx can be removed at any time, whatever it waits for.
//
// Methods must honour ctx: its deadline and cancellation are the host's. Errors
// should carry a [Code]; one that does not reaches the host as [Internal].
type Backend interface {
	// Create creates and starts a workload and returns its status. It is idempotent
	// by Ref:
	//
	//   - for the same attempt again it returns the status that this attempt has now,
	//     running or ended, and never starts it a second time;
	//   - an older attempt of the same id that has ended is reported through
	//     Host.Exited, removed, and replaced; one that still runs is an
	//     [AlreadyExists] error;
	//   - when a newer attempt is known the error is [FailedPrecondition].
	//
	// When Create fails nothing of the attempt is left behind, also when ctx ended.
	// But a workload that has begun to run is not undone because ctx ended: a
	// repeated call would run it twice. A runtime that cannot run is refused before
	// anything is made.
	Create(ctx context.Context, w Workload) (Status, error)

	// Restore resumes the watch over an attempt after either side was restarted, and
	// returns its status. If the attempt has ended, Host.Exited and Host.Released are
	// called again unless they were already answered in this process. [NotFound]
	// means that the backend knows no such attempt. Restoring an attempt that is
	// already watched is cheap and changes nothing.
	Restore(ctx context.Context, ref Ref, stdio Stdio) (Status, error)

	// List returns every attempt that is marked with this host and this backend. It
	// starts nothing and watches nothing.
	List(ctx context.Context) ([]Status, error)

	// Signal sends a signal to the process that ref names. An attempt that has ended
	// is [FailedPrecondition], an unknown one [NotFound].
	Signal(ctx context.Context, ref Ref, sig Signal) error

	// Delete removes all that the backend still keeps of an attempt that has ended.
	// Until then List, Restore and Create know the attempt. An Exited that was not
	// answered yet is abandoned. An attempt that runs is [FailedPrecondition]. An
	// unknown one is not an error, so that Delete can be repeated.
	Delete(ctx context.Context, ref Ref) error
}

// Host receives the reports of a backend. Its methods are safe for concurrent use,
// and calls survive a restart of the host: the kit repeats them until the host that
// is then connected has answered. They block for as long as there is no host.
type Host interface {
	// Exited reports the end of an attempt; status.Exit is set. A nil error means
	// that the host has the exit on disk. The host keeps the first exit that is
	// reported for an attempt, so repeating is harmless. After an error nothing may
	// be removed: [NotFound] says that this host does not know the attempt.
	Exited(ctx context.Context, status Status) error

	// Released reports that an attempt, which Exited has reported, has no resources
	// left and will write no more output.
	Released(ctx context.Context, ref Ref, output Output) error
}
