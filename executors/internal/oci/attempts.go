package oci

import (
	"context"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
)

// Attempts are the attempts that a process knows, one for each id. Its methods
// may be called concurrently, but for one id by one caller at a time.
type Attempts[A interface {
	comparable
	base() *Attempt
}] struct {
	log    hclog.Logger
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // watchers

	mu       sync.Mutex
	byID     map[string]A
	creating map[string]bool
}

// NewAttempts makes an empty set.
func NewAttempts[A interface {
	comparable
	base() *Attempt
}](log hclog.Logger) *Attempts[A] {
	s := &Attempts[A]{log: log, byID: make(map[string]A), creating: make(map[string]bool)}
	s.ctx, s.cancel = context.WithCancel(hclog.WithContext(context.Background(), log))
	return s
}

// Creating says that an id has a Create under way, until done is called.
func (s *Attempts[A]) Creating(id string) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.creating[id] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.creating, id)
	}
}

// Get gives the attempt of an id, zero if none is known, and whether the id has
// a Create under way.
func (s *Attempts[A]) Get(id string) (a A, creating bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id], s.creating[id]
}

// diskRetry is how long a watcher waits for a disk that is full or read-only.
const diskRetry = 500 * time.Millisecond

// Watch starts a watcher that follows an attempt to its end, in place of that of
// an earlier one. A follow that could not record something, since a disk was full
// or read-only, is called again, and takes the attempt from where it stands.
func (s *Attempts[A]) Watch(a A, follow func(ctx context.Context, a A) error) {
	w := a.base()
	s.Stop(w.Ref.ID)
	ctx, cancel := context.WithCancel(s.ctx)
	w.cancel = cancel
	s.mu.Lock()
	s.byID[w.Ref.ID] = a
	s.mu.Unlock()
	s.wg.Go(func() {
		defer close(w.done)
		defer cancel()
		for w.err = follow(ctx, a); executor.DiskFault(w.err) && Pause(ctx, diskRetry); w.err = follow(ctx, a) {
			s.log.Warn("an end cannot be recorded, and is kept until it can", "ref", w.Ref, "error", w.err)
		}
		if w.err != nil && ctx.Err() == nil {
			s.log.Error("attempt is not followed any more", "ref", w.Ref, "error", w.err)
		}
	})
}

// Stop ends the watcher of an id and forgets the attempt, which it gives.
func (s *Attempts[A]) Stop(id string) A {
	s.mu.Lock()
	a := s.byID[id]
	delete(s.byID, id)
	s.mu.Unlock()
	var none A
	if a != none {
		a.base().cancel()
		<-a.base().done
	}
	return a
}

// Close ends all watchers, and gives their attempts.
func (s *Attempts[A]) Close() []A {
	s.cancel()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]A, 0, len(s.byID))
	for _, a := range s.byID {
		all = append(all, a)
	}
	return all
}
