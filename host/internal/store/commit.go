package store

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/failpoint"
)

// call is an Update that waits for its commit.
type call struct {
	fn func(*Tx) error
	// taken is won by the committer that runs fn or by the caller that gives up.
	taken atomic.Bool
	err   error
	done  chan struct{}
}

// Update runs fn in a transaction and returns once its changes are on disk. If
// fn fails its changes are undone and its error is returned. fn runs once at
// most, in another goroutine, one function at a time; it must not use the Store.
//
// When ctx ends before fn was started, fn never runs and the error is ctx's.
// After that Update waits for the disk. A commit that fails as a whole gives
// Unavailable and nothing of it is kept; OutcomeUnknown means that it may or may
// not be on disk, and the store then refuses to write until it is opened again.
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

// committer makes one commit of whatever has queued up, again and again. While
// it waits for the disk the next commit's callers gather.
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
		s.announce()
	}
	for _, c := range calls {
		if c.err == nil {
			c.err = err
		}
		close(c.done)
	}
}

// transact commits what body writes, with the header, and syncs it. If body
// writes nothing, nothing is.
func (s *Store) transact(body func(*Tx) error) (appended bool, err error) {
	if s.broken != nil {
		return false, s.broken
	}
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
	tx := &Tx{bolt: btx, head: s.head, loaded: true, keep: s.keep}
	err = body(tx)
	if err == nil && tx.dirty {
		tx.head.Commit = uint64(btx.ID())
		err = tx.putJSON(meta, headerKey, tx.head)
	}
	if err != nil || !tx.dirty {
		_ = btx.Rollback()
		return false, err
	}
	_ = failpoint.Hit("host.store.commit")
	txid := btx.ID()
	if err := btx.Commit(); err != nil {
		if s.advanced(txid) {
			return false, s.breakDown(err)
		}
		return false, s.explain(executor.Errorf(executor.Unavailable, "store %s: commit: %w", s.path, err))
	}
	_ = failpoint.Hit("host.store.written")
	// After a failed sync the kernel takes the pages for clean, so that another
	// one says nothing.
	if err := s.sync(); err != nil {
		return false, s.breakDown(err)
	}
	s.head = tx.head
	return tx.appended, nil
}

func (s *Store) explain(err error) error { return executor.ExplainDisk(filepath.Dir(s.path), err) }

// advanced tells whether the file has come to a transaction.
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
