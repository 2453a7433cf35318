package spool

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/hashicorp/go-hclog"
)

const (
	// Interval is how often an executor looks at a stream that grows towards its limit,
	// and busyInterval how often at one that grows fast.
	Interval     = time.Second
	busyInterval = 20 * time.Millisecond
)

// Guard guards the output files of the attempts of one backend. It is safe for
// concurrent use.
type Guard struct {
	log      hclog.Logger
	interval time.Duration
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	wakes    wakes
	watcher  *linux.Watcher
	lstat    func(string, *syscall.Stat_t) error

	mu       sync.Mutex
	attempts map[executor.Ref][]*guarded
	// due has the streams that are looked at again, and when. The others rest: an event
	// wakes them.
	due map[*guarded]time.Time
}

// NewGuard returns a Guard that looks in an interval at streams that grow. Close ends
// it.
func NewGuard(log hclog.Logger, interval time.Duration) *Guard {
	if log == nil {
		log = hclog.NewNullLogger()
	}
	g := &Guard{
		log: log, interval: interval, wakes: newWakes(), lstat: syscall.Lstat,
		attempts: make(map[executor.Ref][]*guarded), due: make(map[*guarded]time.Time),
	}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.watcher = linux.NewWatcher()
	g.wg.Go(g.run)
	return g
}

// Close ends the Guard. A rescue that is under way ends, and the next Guard that
// watches the attempt continues it.
func (g *Guard) Close() {
	g.cancel()
	g.wg.Wait()
	_ = g.watcher.Close()
}

// Watch begins to guard an attempt. pid is its first process, a child of the shim, or
// 0 if it has ended. Watching again changes nothing.
func (g *Guard) Watch(ref executor.Ref, stdio executor.Stdio, pid int) {
	streams := []struct {
		name string
		executor.Stream
	}{{"stdout", stdio.Stdout}, {"stderr", stdio.Stderr}}
	if stdio.Stdout.Path == stdio.Stderr.Path {
		streams = streams[:1]
	}
	var list []*guarded
	for i, s := range streams {
		if s.Kind != executor.StreamFile {
			continue
		}
		one := &guarded{ref: ref, name: s.name, path: s.Path, max: s.Max, unknown: pid <= 0}
		if pid > 0 {
			var err error
			if one.copier, err = copierOf(pid, i+1); err != nil {
				one.unknown = true
				g.log.Debug("this stream cannot be guarded against a full disk", "ref", ref.String(), "stream", s.name, "error", err)
			}
		}
		list = append(list, one)
	}
	g.add(ref, list)
}

func (g *Guard) add(ref executor.Ref, list []*guarded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.attempts[ref] != nil || len(list) == 0 {
		return
	}
	g.attempts[ref] = list
	for _, s := range list {
		s.waiter.Wake = func() { g.wakes.add(s) }
		g.wakes.add(s)
	}
}

// Finish stops guarding an attempt that has ended, once all that it wrote is in its
// files. It waits for that no longer than limit. It is called before the shim deletes
// the task. The result is empty if it is not known whether the output is complete: a
// stream has not come to its end by then, or was never guarded.
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
		if loss, err := executor.ReadLoss(s.path); err != nil || loss.Gaps > 0 || capture.Full(s.path) {
			output = executor.Truncated
		}
	}
	return output
}

// drain waits until a stream has come to its end, and reports whether it has.
func (g *Guard) drain(ctx context.Context, s *guarded) bool {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		g.look(s) // the shim's copier may have died at the very end
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

// Forget stops guarding an attempt at once.
func (g *Guard) Forget(ref executor.Ref) {
	for _, s := range g.take(ref) {
		if s.rescue != nil {
			s.rescue.stop()
		}
	}
}

// take returns the streams of an attempt, which the Guard no longer uses.
func (g *Guard) take(ref executor.Ref) []*guarded {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.attempts[ref]
	delete(g.attempts, ref)
	for _, s := range list {
		s.taken = true
		delete(g.due, s)
		g.watcher.Disarm(&s.waiter)
	}
	return list
}
