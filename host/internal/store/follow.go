package store

import (
	"context"
	"iter"
)

// followChunk is how many events a follower reads at once.
const followChunk = 256

// Changed returns a channel that is closed at the next commit that appends events, or
// when the store is closed. Call it before reading, so as to miss nothing.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// wakeFollowers closes the channel that Changed returned.
func (s *Store) wakeFollowers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Follow returns the events after a cursor: first those that are kept, then new ones as
// they come, each once and in order. It ends with an error: that of ctx, a [GoneError] for
// a reader that is too far behind, or Unavailable when the store is closed. A slow reader
// delays nobody else.
func (s *Store) Follow(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			changed := s.Changed()
			var list []Event
			err := s.View(func(tx *Tx) (err error) {
				list, err = tx.Events(after, followChunk)
				return err
			})
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
				after = e.Seq
			}
			if err == nil {
				err = ctx.Err()
			}
			if err == nil && len(list) == 0 {
				select {
				case <-changed:
				case <-ctx.Done():
					err = ctx.Err()
				case <-s.quit:
					err = errClosed
				}
			}
			if err != nil {
				yield(Event{}, err)
				return
			}
		}
	}
}
