package api

import "time"

// Event is an entry of the host's journal. Sequences have no gaps.
type Event struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	// Type is one of the types below, or one of a later release.
	Type string `json:"type"`
	// Container is the id of a container, Attempt the number of its start, and Backend
	// the name of a backend. They are empty where an event does not concern them.
	Container string `json:"container,omitempty"`
	Attempt   int    `json:"attempt,omitempty"`
	Backend   string `json:"backend,omitempty"`
	// Data has details, by name.
	Data map[string]string `json:"data,omitempty"`
}

// Types of events.
const (
	EventCreated = "container.created"
	EventStarted = "container.started"
	// EventExited occurs when a container has ended and its output is complete.
	EventExited  = "container.exited"
	EventFailed  = "container.failed"
	EventRemoved = "container.removed"
	// EventOutputStalled occurs when output could not be written, most likely because
	// the disk was full. The workload goes on, and what is missing is counted.
	EventOutputStalled = "output.stalled"
	// EventBackendReady occurs when the host has started an executor or connected to one,
	// and has reconciled its containers. EventBackendWaiting occurs when the executor has
	// ended and another is tried, EventBackendFailed when that has failed too often in a
	// row, and EventBackendStopped when it was ended because nothing needs it.
	EventBackendReady   = eventBackend + string(BackendReady)
	EventBackendWaiting = eventBackend + string(BackendWaiting)
	EventBackendFailed  = eventBackend + string(BackendFailed)
	EventBackendStopped = eventBackend + string(BackendStopped)
	// EventBackendRemoved occurs when a reload has found that it is no longer in the config.
	EventBackendRemoved = eventBackend + string(BackendRemoved)

	// EventNetworkCreated and EventNetworkRemoved name the network in their data.
	EventNetworkCreated = "network.created"
	EventNetworkRemoved = "network.removed"

	eventBackend = "backend."
)

// BackendEvent returns the type of the event for a new state of a backend.
func BackendEvent(state BackendState) string { return eventBackend + string(state) }
