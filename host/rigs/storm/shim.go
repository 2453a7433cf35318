package storm

import (
	"context"
	"sync"
	"syscall"
	"time"
)

// shimKills kills the shims of n running containers, on each runtime one after the other. A
// shim takes the knowledge of the exit with it, and the end of its pipes is the
// workload's: the end must be reported as lost, and nothing may be left.
func shimKills(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		slots := make(chan struct{}, 4)
		var wg sync.WaitGroup
		for range n {
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				l := s.next()
				l.style, l.rate, l.lines = steered, 1000, 0
				s.killShim(ctx, l)
			})
		}
		wg.Wait()
	}
}

func (s *storm) killShim(ctx context.Context, l *life) {
	if !s.begin(ctx, nil, l) {
		return
	}
	defer s.remove(ctx, nil, l)
	for out, _ := l.acked(); out < 10 && pause(ctx, 10*time.Millisecond); out, _ = l.acked() {
	}
	s.noteSocket(l)
	shim, ok := only(s.site.isShim(l.id))
	if !ok || !signalTo(shim, s.site.isShim(l.id), syscall.SIGKILL) {
		s.report.bad(tooFew, "%v: no shim was found to kill", l)
		return
	}
	s.report.fault("shim", l.target.name+"/"+l.runtime)
	waited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := s.site.client.call(waited, "GET", "/containers/"+l.id+"/wait", nil, nil); err != nil {
		s.report.bad(wrongExits, "%v has not ended after its shim was killed: %v", l, err)
		return
	}
	v, err := s.site.client.inspect(ctx, l.id, false)
	switch {
	case err != nil:
		s.report.bad(others, "%v: %v", l, err)
	case v.Exit == nil || v.Exit.Source != "lost" || v.Exit.Code != nil:
		s.report.bad(wrongExits, "%v: its shim was killed, and its exit is %+v, want it reported as lost", l, v.Exit)
	default:
		s.report.count(shimHonest, 1)
	}
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v has lost its shim, and runs: %v", l, left)
	}
}
