package store

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// call is an Update that waits for its commit.
type call struct {
	fn func(*Tx) error
	// taken is set by the committer, which then runs fn, or by a caller whose ctx ended.
	taken atomic.Bool
	err   error
	done  chan struct{}
}

// Update runs fn in a transaction and returns once its changes are on disk. If fn fails,
// Update undoes its changes and returns its error. fn runs at most once, in another
// goroutine, one function at a time. It must not use the Store.
//
// If ctx ends before fn was started, fn never runs and Update returns ctx's error. From
// then on Update waits for the disk. If the commit fails as a whole, the error is
// Unavailable and nothing of it is kept. OutcomeUnknown means that it may or may not be
// on disk; the store then refuses to write until it is opened again.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &call{fn: fn, done: make(chan struct{})}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return errClosed
	}
	s.queue = append(s.queue, c)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default: // already awake
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if c.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-c.done
	}
	return c.err
}

// committer commits whatever has queued up, again and again. While it waits for the
// disk, the callers of the next commit queue up.
func (s *Store) committer() {
	defer close(s.stopped)
	for {
		select {
		case <-s.wake:
			s.commit()
		case <-s.quit:
			s.commit()
			return
		}
	}
}

// commit runs what has queued up in one transaction and answers the callers.
func (s *Store) commit() {
	s.mu.Lock()
	calls := s.queue
	s.queue = nil
	s.mu.Unlock()
	calls = slices.DeleteFunc(calls, func(c *call) bool { return !c.taken.CompareAndSwap(false, true) })

	appended, err := s.transact(func(tx *Tx) error {
		for _, c := range calls {
			c.err = tx.run(c.fn)
		}
		return nil
	})
	if appended {
		s.wakeFollowers()
	}
	for _, c := range calls {
		if c.err == nil {
			c.err = err
		}
		close(c.done)
	}
}

// transact commits what body writes, with the header, and syncs it. It writes nothing if
// body does not.
func (s *Store) transact(body func(*Tx) error) (appended bool, err error) {
	if s.broken != nil {
		return false, s.broken
	}
	var tx *Tx
	defer func(began time.Time) {
		if tx != nil && tx.dirty {
			s.committed(began, tx.exits, err)
		}
	}(time.Now())
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			s.dead.Store(true)
			err = s.breakDown(fmt.Errorf("panic: %v", p))
		}
	}()
	btx, err := s.begin(true)
	if err != nil {
		return false, err
	}
	tx = &Tx{bolt: btx, head: s.head, loaded: true, keep: s.keep}
	err = body(tx)
	if err == nil && tx.dirty {
		tx.head.Commit = uint64(btx.ID())
		err = tx.putJSON(meta, headerKey, tx.head)
	}
	if err != nil || !tx.dirty {
		_ = btx.Rollback()
		return false, err
	}
	txid := btx.ID()
	if err := btx.Commit(); err != nil {
		if s.advanced(txid) {
			return false, s.breakDown(err)
		}
		return false, s.explain(executor.Errorf(executor.Unavailable, "store %s: commit: %w", s.path, err))
	}
	// After a failed sync the kernel takes the pages for clean, so that the success of
	// another sync would mean nothing.
	if err := s.sync(); err != nil {
		return false, s.breakDown(err)
	}
	s.head = tx.head
	s.writeMark()
	return tx.appended, nil
}

// committed tells the observer of a commit that began at a time.
func (s *Store) committed(began time.Time, exits []exited, err error) {
	s.observer.Committed(time.Since(began), err)
	if err != nil {
		return
	}
	for _, e := range exits {
		s.observer.Exited(e.backend, e.source)
	}
}

func (s *Store) explain(err error) error { return executor.ExplainDisk(filepath.Dir(s.path), err) }

// advanced reports whether the file has reached a transaction.
func (s *Store) advanced(txid int) bool {
	btx, err := s.begin(false)
	if err != nil {
		return true // cannot be known
	}
	defer func() { _ = btx.Rollback() }()
	return btx.ID() >= txid
}

// breakDown ends all writing.
func (s *Store) breakDown(err error) error {
	s.broken = executor.Errorf(executor.Unavailable, "store %s: no more writes after a failed commit (%v); restart the host", s.path, err)
	return executor.Errorf(executor.OutcomeUnknown, "store %s: commit: %w", s.path, err)
}
