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
	// Waiting: the executor failed, and the next try comes after a pause.
	Waiting State = "waiting"
	// Failed: it failed too often in a row. Tries go on, callers do not wait.
	Failed  State = "failed"
	Stopped State = "stopped"
)

// Info is what people see of a backend.
type Info struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	PID   int    `json:"pid,omitempty"`
	// Cgroup is that of the executor, in all hierarchies. Empty means the host's
	// own, or that it could not be moved out of that in some hierarchy.
	Cgroup       string                `json:"cgroup,omitempty"`
	Description  executor.Description  `json:"description"`
	Capabilities []executor.Capability `json:"capabilities,omitempty"`
	// Starts and Attaches count the processes that were started and taken up.
	Starts   int `json:"starts"`
	Attaches int `json:"attaches"`
	Failures int `json:"failures"` // in a row
	// LastError is why the executor failed last, at LastErrorAt. It stays when the
	// next one is ready.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	NextTry     time.Time `json:"next_try,omitzero"`
	Since       time.Time `json:"since"` // of State
}
