package supervisor

import (
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// State of a backend.
type State string

const (
	Starting State = "starting"
	Ready    State = "ready"
	// Waiting means that the executor failed, and the next try follows after a pause.
	Waiting State = "waiting"
	// Failed means that it failed too often in a row. The host goes on trying; calls do
	// not wait for it.
	Failed  State = "failed"
	Stopped State = "stopped"
)

// Info describes a backend to users.
type Info struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	PID   int    `json:"pid,omitempty"`
	// Cgroup is the executor's cgroup, the same in all hierarchies. Empty means the
	// host's own, or that in some hierarchy the executor could not be moved out of it.
	Cgroup       string                `json:"cgroup,omitempty"`
	Description  executor.Description  `json:"description"`
	Capabilities []executor.Capability `json:"capabilities,omitempty"`
	// Starts counts the executors that were started, Attaches those that still ran and
	// were connected to.
	Starts   int `json:"starts"`
	Attaches int `json:"attaches"`
	Failures int `json:"failures"` // in a row
	// LastError is the reason of the last failure, at LastErrorAt. It stays when the
	// next executor is ready.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	// NextTry is when the next one is started, if the state is Waiting or Failed.
	NextTry time.Time `json:"next_try,omitzero"`
	Since   time.Time `json:"since"` // of State
}
