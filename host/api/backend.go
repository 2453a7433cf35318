package api

import (
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// BackendState is the state of a backend.
type BackendState string

const (
	BackendStarting BackendState = "starting"
	BackendReady    BackendState = "ready"
	// BackendWaiting means that the executor failed, and the next try follows after a
	// pause.
	BackendWaiting BackendState = "waiting"
	// BackendFailed means that it failed too often in a row. The host goes on trying;
	// calls do not wait for it.
	BackendFailed BackendState = "failed"
	// BackendRemoved means that it is not in the config any more, and that there are
	// containers of it.
	BackendRemoved BackendState = "removed"
	// BackendStopped means that its executor was ended because nothing needs it.
	BackendStopped BackendState = "stopped"
)

// BackendInfo is a snapshot of a backend.
type BackendInfo struct {
	Name  string       `json:"name"`
	State BackendState `json:"state"`
	PID   int          `json:"pid,omitempty"` // of the executor
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
	// NextTry is when the next one is started, if the state is BackendWaiting or
	// BackendFailed.
	NextTry time.Time `json:"next_try,omitzero"`
	Since   time.Time `json:"since"` // of State
	// Default means that containers which name no backend run here.
	Default bool `json:"default,omitempty"`
	// ImageStore is where the images of its containers are that do not say; empty means the
	// host's own store.
	ImageStore string `json:"image_store,omitempty"`
	// Containers counts the containers that have not ended.
	Containers int `json:"containers"`
}
