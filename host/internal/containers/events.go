package containers

import (
	"context"
	"iter"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/store"
)

// EventCursors returns the cursor before the oldest event that is kept, and the cursor
// after the newest. A cursor is the Seq of the last event that its reader has seen.
func (m *Manager) EventCursors() (oldest, newest uint64, err error) {
	err = m.store.View(func(tx *store.Tx) error {
		oldest, newest, err = tx.Cursors()
		return err
	})
	return oldest, newest, err
}

// Events returns the events after a cursor: first those that are kept, then new ones
// as they come, without a gap. The error for a cursor before the oldest event that is
// kept is [executor.FailedPrecondition]; begin anew with EventCursors.
func (m *Manager) Events(ctx context.Context, after uint64) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		for e, err := range m.store.Follow(ctx, after) {
			if !yield(api.Event(e), err) {
				return
			}
		}
	}
}

func appendEvent(tx *store.Tx, typ string, c *store.Container, data map[string]string) error {
	_, err := tx.Append(store.Event{Type: typ, Container: c.ID, Attempt: c.Attempt, Backend: c.Backend, Data: data})
	return err
}
