package host

import (
	"context"
	"iter"

	"github.com/davit-run/davit/host/internal/store"
	"github.com/davit-run/davit/host/internal/supervisor"
)

// Types of events.
const (
	EventCreated = "container.created"
	EventStarted = "container.started"
	// EventExited comes when the container has ended and its output is complete.
	EventExited  = "container.exited"
	EventFailed  = "container.failed"
	EventRemoved = "container.removed"
	// EventOutputStalled comes when output could not be written: the disk was full,
	// most likely. The workload goes on, and what is missing is counted.
	EventOutputStalled = "output.stalled"
	// EventBackendReady comes when an executor was started or taken up and its
	// containers are looked after, EventBackendWaiting when it ended and another is
	// tried, EventBackendFailed when that has failed too often in a row, and
	// EventBackendStopped when it was ended because nothing needs it.
	EventBackendReady   = eventBackend + string(supervisor.Ready)
	EventBackendWaiting = eventBackend + string(supervisor.Waiting)
	EventBackendFailed  = eventBackend + string(supervisor.Failed)
	EventBackendStopped = eventBackend + string(supervisor.Stopped)

	eventBackend = "backend."
)

// Event is an entry of the host's journal.
type Event = store.Event

// EventCursors gives the cursor before the oldest event that is kept, and that of
// the newest. A cursor is the Seq of the last event that its reader knows.
func (h *Host) EventCursors() (oldest, newest uint64, err error) {
	err = h.store.View(func(tx *store.Tx) error {
		oldest, newest, err = tx.Cursors()
		return err
	})
	return oldest, newest, err
}

// Events gives the events after a cursor, those that are there and then those
// that come, without a gap. A cursor older than the oldest that is kept is
// [executor.FailedPrecondition]: begin anew with EventCursors.
func (h *Host) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return h.store.Follow(ctx, after)
}

func appendEvent(tx *store.Tx, typ string, c *store.Container, data map[string]string) error {
	_, err := tx.Append(store.Event{Type: typ, Container: c.ID, Attempt: c.Attempt, Backend: c.Backend, Data: data})
	return err
}
