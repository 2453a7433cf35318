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
	// Prototype is a value of the type that Open returns, such as a nil pointer.
	// Nothing is called on it: its type tells, before a backend is opened, which
	// capabilities there will be. Nil means that only Open tells.
	Prototype Backend
	// Open connects to the backend and returns it. It is called once in the life
	// of the process, with settings that passed Validate. ctx bounds the call
	// alone; what Open starts in the background ends in Closer. Required.
	Open func(ctx context.Context, env Environment, host Host) (Backend, error)
}

// Settings are what the host's config says about one backend. Bodies are JSON
// objects that hold only attributes which the executor's schemas declare;
// absent attributes are left out, so defaults are the executor's to apply.
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

// Environment is what a backend is told about its place.
type Environment struct {
	// HostID is stable for a host's state directory. With Backend it is what
	// marks resources as ours.
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
	// Ephemeral says that workloads shall not outlive the host. The plugin kit sees
	// to that; executors may leave out what only serves to survive.
	Ephemeral bool `json:"ephemeral,omitempty"`
}

// Backend is an opened backend. All methods may be called concurrently, but the
// plugin kit never runs two of Create, Restore, Signal and Delete for the same
// id at once, so an implementation needs no locks of its own for that.
//
// Methods must honour ctx: its deadline and cancellation are the host's. Errors
// should carry a [Code]; one that does not reaches the host as [Internal].
type Backend interface {
	// Create creates and starts a workload. It is idempotent by Ref:
	//
	//   - the same attempt again gives the status that this attempt has now,
	//     running or ended, and never starts it a second time;
	//   - an older attempt of the same id that has ended is handed over through
	//     Host.Exited, removed, and replaced; one that still runs is an
	//     [AlreadyExists] error;
	//   - when a newer attempt is known the error is [FailedPrecondition].
	//
	// When Create fails nothing of the attempt is left behind, also when ctx
	// ended. But what has begun to run is not undone because ctx ended: whoever
	// asks again would have it run twice. A runtime that cannot run is refused
	// before anything is made.
	Create(ctx context.Context, w Workload) (Status, error)

	// Restore takes an attempt up again after either side was restarted, and
	// gives its status. For one that has ended, Host.Exited and Host.Released
	// are called again unless they were already answered in this process.
	// [NotFound] means that the backend knows no such attempt. Restoring what is
	// already watched is cheap and changes nothing.
	Restore(ctx context.Context, ref Ref, stdio Stdio) (Status, error)

	// List gives every attempt on the backend that is ours, that is, marked with
	// this host and this backend. It starts nothing and watches nothing.
	List(ctx context.Context) ([]Status, error)

	// Signal sends a signal to the workload's first process. An attempt that has
	// ended is [FailedPrecondition], an unknown one [NotFound].
	Signal(ctx context.Context, ref Ref, sig Signal) error

	// Delete removes all that the backend still holds of an attempt that has
	// ended; until then List, Restore and Create know it. An Exited of it that was
	// not answered yet is given up. One that runs is [FailedPrecondition]; one that
	// is unknown is no error, so that Delete can be repeated.
	Delete(ctx context.Context, ref Ref) error
}

// Host is what a backend may call back. Calls are safe for concurrent use and
// survive a restart of the host: the kit repeats them until the host that is
// then connected has answered. They block for as long as there is no host.
type Host interface {
	// Exited reports the end of an attempt; status.Exit is set. A nil error means
	// that the host has the exit on disk. The host keeps the first exit that it
	// is given for an attempt, so repeating is harmless. On an error nothing may
	// be deleted: [NotFound] says that this host does not know the attempt.
	Exited(ctx context.Context, status Status) error

	// Released reports that an attempt which was reported by Exited holds no
	// resources any more and will write no more output.
	Released(ctx context.Context, ref Ref, output Output) error
}
