package transport

import "github.com/davit-run/davit/shared/executor"

// The methods that a host calls. Those after MethodOpen need an opened backend.
const (
	MethodHello          = "hello"
	MethodValidate       = "validate"
	MethodOpen           = "open"
	MethodCreate         = "create"
	MethodRestore        = "restore"
	MethodList           = "list"
	MethodSignal         = "signal"
	MethodDelete         = "delete"
	MethodRuntimeResolve = "runtime-resolve"
	MethodRuntimeList    = "runtime-list"
	MethodCheck          = "check"
	MethodClose          = "close"
)

// The methods that an executor calls.
const (
	MethodExited   = "exited"
	MethodReleased = "released"
)

// None is the body of a call or a reply that has nothing to say.
type None struct{}

// Hello is the first call on every connection: attaching to a process that runs
// negotiates nothing by itself.
type Hello struct {
	// Protocol is what the host wants to speak on this connection.
	Protocol int `json:"protocol"`
	// Version of the host program, for logs.
	Version string `json:"version"`
	// Epoch grows with each start of the host on one state directory. A
	// connection with a greater epoch ends those with a lesser one.
	Epoch uint64 `json:"epoch"`
}

// HelloReply introduces the executor.
type HelloReply struct {
	// Protocol is the host's, which the executor speaks too.
	Protocol    int                  `json:"protocol"`
	PID         int                  `json:"pid"`
	Description executor.Description `json:"description"`
	// Opened is set if a backend is open already.
	Opened *executor.Environment `json:"opened,omitempty"`
}

// OpenReply tells what an opened backend can do.
type OpenReply struct {
	Capabilities []executor.Capability `json:"capabilities"`
}

// RestoreRequest is the body of MethodRestore.
type RestoreRequest struct {
	Ref   executor.Ref   `json:"ref"`
	Stdio executor.Stdio `json:"stdio"`
}

// SignalRequest is the body of MethodSignal.
type SignalRequest struct {
	Ref    executor.Ref    `json:"ref"`
	Signal executor.Signal `json:"signal"`
}

// ReleasedRequest is the body of MethodReleased.
type ReleasedRequest struct {
	Ref    executor.Ref    `json:"ref"`
	Output executor.Output `json:"output"`
}
