package health

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// Target is an attempt that is probed.
type Target struct {
	Ref executor.Ref
	// Check has no field left open.
	Check api.HealthCheck
	// StartedAt is when it was started, or zero if that is not known.
	StartedAt time.Time
	// Process is its first process.
	Process Process
	// State is what is known of it already.
	State State
}

var (
	// ErrUnknown means that a probe has found out nothing, such as of a container that is
	// paused. It does not count.
	ErrUnknown = errors.New("nothing was found out")
	// ErrOver means that the attempt does not run any more, and is not probed again.
	ErrOver = errors.New("the attempt is over")
)

// Actions are what a Scheduler does with its targets. They are called concurrently, but for
// one target one at a time.
type Actions struct {
	// Probe makes a probe. It returns soon when ctx ends, which has no timeout. The error is
	// ErrUnknown or ErrOver.
	Probe func(context.Context, Target) (api.HealthResult, error)
	// Changed records a new status. If it fails it is called again after the next probe.
	Changed func(context.Context, executor.Ref, State) error
}

// Scheduler probes attempts when it is time to. It is safe for concurrent use.
type Scheduler struct {
	actions Actions
	wake    chan struct{} // has a token when the queue has a new first entry

	mu      sync.Mutex
	entries map[string]*entry // by the container's id
	queue   queue
}

// entry is a target of a Scheduler, whose mu guards it.
type entry struct {
	Target
	recorded api.HealthStatus // the last one that is recorded
	due      time.Time        // of the next probe
	index    int              // in the queue
}

// notQueued is the index of an entry that is being probed.
const notQueued = -1

// NewScheduler returns a Scheduler without targets.
func NewScheduler(actions Actions) *Scheduler {
	return &Scheduler{actions: actions, wake: make(chan struct{}, 1), entries: map[string]*entry{}}
}

// Watch begins to probe an attempt, in the place of an earlier one of its container. It does
// nothing if the attempt is probed already.
//
// The first probe comes after an interval. For an attempt that has run for a while it is at
// a whole number of intervals since its start, so that many that are taken over by a host at
// once are not probed at once.
func (s *Scheduler) Watch(t Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.entries[t.Ref.ID]
	if old != nil && old.Ref.Attempt >= t.Ref.Attempt {
		return
	}
	s.remove(old)
	now := time.Now()
	if t.StartedAt.IsZero() {
		t.StartedAt = now
	}
	uptime := max(0, now.Sub(t.StartedAt))
	interval := t.State.interval(&t.Check, uptime)
	e := &entry{Target: t, recorded: t.State.Status, due: now.Add(interval - uptime%interval), index: notQueued}
	s.entries[t.Ref.ID] = e
	s.enqueue(e)
}

// Forget ends the probing of an attempt that is over.
func (s *Scheduler) Forget(ref executor.Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[ref.ID]; e != nil && e.Ref == ref {
		s.remove(e)
	}
}

// State returns what is known of an attempt that is probed.
func (s *Scheduler) State(ref executor.Ref) (State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[ref.ID]
	if e == nil || e.Ref != ref {
		return State{}, false
	}
	state := e.State
	state.Log = slices.Clone(state.Log)
	return state, true
}

func (s *Scheduler) enqueue(e *entry) {
	heap.Push(&s.queue, e)
	if e.index == 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// remove removes an entry, unless it is nil.
func (s *Scheduler) remove(e *entry) {
	if e == nil {
		return
	}
	if e.index != notQueued {
		heap.Remove(&s.queue, e.index)
	}
	if s.entries[e.Ref.ID] == e {
		delete(s.entries, e.Ref.ID)
	}
}

// Run makes the probes until ctx ends, and returns when none is under way any more.
func (s *Scheduler) Run(ctx context.Context) {
	var probes sync.WaitGroup
	defer probes.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		for {
			e, wait := s.next()
			if e == nil {
				timer.Reset(wait)
				break
			}
			probes.Go(func() { s.probe(ctx, e) })
		}
		select {
		case <-timer.C:
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

// idle is how long an empty queue waits. Watch wakes it.
const idle = time.Hour

// next takes the next entry out of the queue if it is time for its probe. Otherwise it
// returns how long that takes.
func (s *Scheduler) next() (*entry, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		return nil, idle
	}
	if wait := time.Until(s.queue[0].due); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&s.queue).(*entry), 0
}

// probe probes the target of an entry that is in no queue, and puts it back.
func (s *Scheduler) probe(ctx context.Context, e *entry) {
	began := time.Now()
	result, err := s.actions.Probe(ctx, e.Target)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	if err == nil {
		e.State.Add(&e.Check, began.Sub(e.StartedAt), result)
	}
	state, changed := e.State, e.State.Status != e.recorded
	over := errors.Is(err, ErrOver) || s.entries[e.Ref.ID] != e
	s.mu.Unlock()
	if !over && changed && s.actions.Changed(ctx, e.Ref, state) == nil {
		e.recorded = state.Status // nobody else has the entry now
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if over || s.entries[e.Ref.ID] != e {
		s.remove(e)
		return
	}
	now := time.Now()
	e.due = now.Add(e.State.interval(&e.Check, now.Sub(e.StartedAt)))
	s.enqueue(e)
}
