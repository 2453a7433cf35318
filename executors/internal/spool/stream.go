package spool

import (
	"errors"
	"io"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// guarded is one stream of an attempt. The guard's mutex guards it, until it is
// taken.
type guarded struct {
	ref    executor.Ref
	name   string
	path   string
	max    int64
	copier copier
	// unknown says that no copier is known, ended that the copier has come to the end
	// of its pipe.
	unknown, ended bool
	size           int64
	rescue         *rescue // nil unless one is under way
	waiter         linux.Waiter
	taken          bool
}

// events are the events of its file after which a stream needs a look: the copier
// closes the file, or a file with a limit grows.
func (s *guarded) events() (events uint32) {
	if s.copies() {
		events |= unix.IN_CLOSE_WRITE
	}
	if s.max > 0 {
		events |= unix.IN_MODIFY
	}
	return events
}

// copies reports whether a copier is known that has not come to its end.
func (s *guarded) copies() bool { return !s.unknown && !s.ended && s.rescue == nil }

// pace is how soon a stream needs another look.
type pace int

const (
	resting pace = iota // after the next event
	growing             // after the interval
	busy                // soon
)

// wait returns how long to wait at a pace.
func (g *Guard) wait(p pace) time.Duration {
	if p == busy {
		return min(busyInterval, g.interval)
	}
	return g.interval
}

// look checks a stream, and returns when it should be checked again.
func (g *Guard) look(s *guarded) pace {
	var st syscall.Stat_t
	if err := g.lstat(s.path, &st); err != nil {
		s.unknown = true // removed with its container
		s.max = 0
		return resting
	}
	next := g.limit(s, &st)
	if !s.copies() {
		return next
	}
	state, pipe := s.copier.look(&st)
	switch state {
	case alive:
		return next
	case gone:
		s.unknown = true
		return next
	}
	r, err := startRescue(s.path, pipe)
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
	case errors.Is(err, unix.EWOULDBLOCK): // another process has come first
		next = max(next, growing)
	case err != nil:
		next = max(next, growing)
		g.log.Warn("output has stalled, and copying cannot be continued", "ref", s.ref.String(), "stream", s.name, "error", err)
	default:
		s.rescue = r
		g.log.Warn("output had stalled, and copying is continued", "ref", s.ref.String(), "stream", s.name)
		g.wg.Go(func() { r.run(g.ctx) })
	}
	return next
}

// limit drops what is too much of a stream.
func (g *Guard) limit(s *guarded, st *syscall.Stat_t) pace {
	grown := st.Size - s.size
	s.size = st.Size
	if s.max <= 0 {
		return resting
	}
	if size := st.Blocks * 512; size > 2*s.max {
		if _, err := linux.PunchFile(s.path, st.Size-s.max/4*3); err != nil {
			g.log.Warn("output cannot be capped", "ref", s.ref.String(), "stream", s.name, "error", err)
		}
	}
	switch {
	case grown > s.max/4:
		return busy
	case grown > 0:
		return growing
	}
	return resting
}
