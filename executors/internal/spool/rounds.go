package spool

import (
	"errors"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// wakes collects the streams that an event has woken.
type wakes struct {
	some chan struct{} // has a value if there are streams

	mu   sync.Mutex
	list []*guarded
}

func newWakes() wakes { return wakes{some: make(chan struct{}, 1)} }

func (w *wakes) add(s *guarded) {
	w.mu.Lock()
	w.list = append(w.list, s)
	w.mu.Unlock()
	select {
	case w.some <- struct{}{}:
	default:
	}
}

func (w *wakes) take() []*guarded {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// run looks at streams when they are woken or due. It sleeps as long as all rest.
func (g *Guard) run() {
	timer := time.NewTimer(g.interval)
	defer timer.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.wakes.some:
		case <-timer.C:
		}
		if next := g.round(time.Now()); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// round looks at the streams that were woken or are due, and returns when the next one
// is due, zero if all rest.
func (g *Guard) round(now time.Time) (next time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.wakes.take() {
		if !s.taken {
			g.due[s] = now
		}
	}
	for s, due := range g.due {
		if !due.After(now) {
			pace := g.check(s)
			if pace == resting {
				delete(g.due, s)
				continue
			}
			due = now.Add(g.wait(pace))
			g.due[s] = due
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next
}

// check looks at a stream, and lets it rest if nothing happens to it. A stream that
// cannot be watched never rests.
func (g *Guard) check(s *guarded) pace {
	next := g.look(s)
	if next != resting || s.events() == 0 {
		return next
	}
	switch err := g.arm(s); {
	case err == nil:
		return g.look(s) // what came before the watch did
	case errors.Is(err, fs.ErrNotExist):
		return g.look(s) // it was removed
	}
	return growing
}

func (g *Guard) arm(s *guarded) error {
	return g.watcher.Arm(s.path, s.events()|unix.IN_DONT_FOLLOW, &s.waiter)
}
