package host

import (
	"context"
	"iter"

	"github.com/davit-run/davit/host/internal/store"
)

// Types of events.
const (
	EventCreated = "container.created"
	EventStarted = "container.started"
	// EventExited comes when the container has ended and its output is complete.
	EventExited  = "container.exited"
	EventFailed  = "container.failed"
	EventRemoved = "container.removed"
)

// Event is an entry of the host's journal.
type Event = store.Event

// Events gives the events after a cursor (an event's Seq; 0 for all that are
// kept), those that are there and then those that come, without a gap.
func (h *Host) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return h.store.Follow(ctx, after)
}

func appendEvent(tx *store.Tx, typ string, c *store.Container, data map[string]string) error {
	_, err := tx.Append(store.Event{Type: typ, Container: c.ID, Attempt: c.Attempt, Backend: c.Backend, Data: data})
	return err
}
