package spool

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"
)

const (
	// Interval is how far apart an executor's looks at a stream are, and
	// busyInterval at one that grows towards its limit.
	Interval     = time.Second
	busyInterval = 20 * time.Millisecond
)

// Guard looks after the output files of the attempts of one backend. It is safe
// for concurrent use.
type Guard struct {
	log      hclog.Logger
	interval time.Duration
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	changed  chan struct{}

	mu       sync.Mutex
	attempts map[executor.Ref][]*guarded
}

// guarded is one stream of an attempt. The guard's mutex guards it, until it is
// taken.
type guarded struct {
	ref    executor.Ref
	name   string
	path   string
	max    int64
	copier copier
	// unknown says that there is no copier that could be looked at, ended that it
	// has come to the end of its pipe.
	unknown, ended bool
	size           int64
	rescue         *rescue // nil unless one is under way
}

// NewGuard makes a Guard that looks at streams in an interval. Close ends it.
func NewGuard(log hclog.Logger, interval time.Duration) *Guard {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	g := &Guard{log: log, interval: interval, changed: make(chan struct{}, 1), attempts: make(map[executor.Ref][]*guarded)}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.wg.Go(g.run)
	return g
}

// Close ends the Guard. A rescue that is under way ends, and the next Guard that
// watches the attempt goes on with it.
func (g *Guard) Close() {
	g.cancel()
	g.wg.Wait()
}

// Watch begins to look after an attempt. pid is its first process, a child of the
// shim, or 0 if it has ended. Watching again changes nothing.
func (g *Guard) Watch(ref executor.Ref, stdio executor.Stdio, pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.attempts[ref] != nil {
		return
	}
	streams := []struct {
		name string
		executor.Stream
	}{{"stdout", stdio.Stdout}, {"stderr", stdio.Stderr}}
	if stdio.Stdout.Path == stdio.Stderr.Path {
		streams = streams[:1]
	}
	for i, s := range streams {
		if s.Kind != executor.StreamFile {
			continue
		}
		one := &guarded{ref: ref, name: s.name, path: s.Path, max: s.Max, unknown: pid <= 0}
		if pid > 0 {
			var err error
			if one.copier, err = copierOf(pid, i+1); err != nil {
				one.unknown = true
				g.log.Debug("a full disk would end this stream for good", "ref", ref.String(), "stream", s.name, "error", err)
			}
		}
		g.attempts[ref] = append(g.attempts[ref], one)
	}
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// Finish stops looking after an attempt that has ended, once all that it wrote is
// in its files, for which it waits no longer than limit. It is called before the
// shim is told to delete the task. The output is empty if nobody can tell whether
// it is complete: it has not come to its end by then, or was never looked after.
func (g *Guard) Finish(ctx context.Context, ref executor.Ref, limit time.Duration) executor.Output {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	list := g.take(ref)
	output := executor.Complete
	if len(list) == 0 {
		output = ""
	}
	for _, s := range list {
		if !g.drain(ctx, s) && output == executor.Complete {
			output = ""
		}
		if loss, err := executor.ReadLoss(s.path); err != nil || loss.Gaps > 0 || full(s.path) {
			output = executor.Truncated
		}
	}
	return output
}

// drain waits until a stream has come to its end, and reports whether it was seen
// to.
func (g *Guard) drain(ctx context.Context, s *guarded) bool {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		g.look(s) // a shim may have given up at the very end
		if s.rescue != nil {
			return s.rescue.finish(ctx)
		}
		if s.ended || s.unknown {
			return s.ended
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// Forget stops looking after an attempt at once.
func (g *Guard) Forget(ref executor.Ref) {
	for _, s := range g.take(ref) {
		if s.rescue != nil {
			s.rescue.stop()
		}
	}
}

// take gives the streams of an attempt to the caller alone.
func (g *Guard) take(ref executor.Ref) []*guarded {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.attempts[ref]
	delete(g.attempts, ref)
	return list
}

// run looks at all streams again and again.
func (g *Guard) run() {
	timer := time.NewTimer(g.interval)
	defer timer.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.changed:
		case <-timer.C:
		}
		timer.Reset(g.round())
	}
}

// round looks at all streams and tells when to do so again.
func (g *Guard) round() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := g.interval
	for _, list := range g.attempts {
		for _, s := range list {
			if g.look(s) {
				next = busyInterval
			}
		}
	}
	return next
}

// look sees what has become of a stream, and reports whether it should be looked
// at again soon.
func (g *Guard) look(s *guarded) (busy bool) {
	var st syscall.Stat_t
	if err := syscall.Lstat(s.path, &st); err != nil {
		s.unknown = true // removed with its container
		return false
	}
	grown := st.Size - s.size
	s.size = st.Size
	if s.max > 0 {
		if held := st.Blocks * 512; held > 2*s.max {
			if err := punch(s.path, st.Size-s.max/4*3); err != nil {
				g.log.Warn("output cannot be capped", "ref", s.ref.String(), "stream", s.name, "error", err)
			}
		}
		busy = grown > s.max/4
	}
	if s.unknown || s.ended || s.rescue != nil {
		return busy
	}
	state, pipe := s.copier.look(&st)
	switch state {
	case alive:
		return busy
	case gone:
		s.unknown = true
		return busy
	}
	r, err := startRescue(s.path, pipe)
	switch {
	case errors.Is(err, io.EOF):
		s.ended = true
	case errors.Is(err, unix.EWOULDBLOCK): // another process has come first
	case err != nil:
		g.log.Warn("output has stalled and cannot be copied on", "ref", s.ref.String(), "stream", s.name, "error", err)
	default:
		s.rescue = r
		g.log.Warn("output had stalled and is copied on", "ref", s.ref.String(), "stream", s.name)
		g.wg.Go(func() { r.run(g.ctx) })
	}
	return busy
}

// punch drops all of a file below an offset, rounded down to whole blocks.
func punch(path string, offset int64) error {
	f, err := unix.Open(path, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(f) }()
	var st unix.Stat_t
	if err := unix.Fstat(f, &st); err != nil {
		return err
	}
	offset -= offset % max(4096, int64(st.Blksize))
	if offset <= 0 {
		return nil
	}
	return unix.Fallocate(f, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, offset)
}

// full reports whether a file's disk has no room for another buffer of a shim.
func full(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Bavail*uint64(st.Bsize) < bufferSize
}
