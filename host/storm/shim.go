package storm

import (
	"context"
	"syscall"
	"time"
)

// killShims kills the shims of running containers, one on each runtime. A shim
// takes the knowledge of the exit with it, and the end of its pipes is the
// workload's: the end must be told as lost, and nothing may be left.
func (s *storm) killShims(ctx context.Context) {
	if err := s.site.waitReady(ctx); err != nil {
		s.report.violation("%v", err)
		return
	}
	n := 1_000_000
	for _, b := range s.site.backends {
		for _, runtime := range b.runtimes {
			n++
			l := s.newLife(n)
			l.backend, l.runtime, l.rate, l.lines = b, runtime, 1000, 600_000
			s.killShim(ctx, l)
		}
	}
}

func (s *storm) killShim(ctx context.Context, l *life) {
	calm, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.prepare(l); err != nil {
		s.report.violation("%v: %v", l, err)
		return
	}
	if !s.create(ctx, calm, l) {
		return
	}
	s.mu.Lock()
	s.lives = append(s.lives, l)
	s.mu.Unlock()
	defer s.remove(ctx, calm, l)
	for out, _ := l.acked(); out < 10 && pause(ctx, 10*time.Millisecond); out, _ = l.acked() {
	}
	s.noteSocket(l)
	shim, ok := only(s.site.isShim(l.id))
	if !ok || !signalTo(shim, s.site.isShim(l.id), syscall.SIGKILL) {
		s.report.violation("%v: no shim was found to kill", l)
		return
	}
	s.report.count(shimKills, 1)
	waited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.site.client.call(waited, "GET", "/containers/"+l.id+"/wait", nil, nil); err != nil {
		s.report.violation("%v has not ended after its shim was killed: %v", l, err)
		return
	}
	v, err := s.site.client.inspect(ctx, l.id)
	switch {
	case err != nil:
		s.report.violation("%v: %v", l, err)
	case v.Exit == nil || v.Exit.Source != "lost" || v.Exit.Code != nil:
		s.report.bad(wrongExits, "%v: its shim was killed, and its exit is %+v, want it told as lost", l, v.Exit)
	default:
		s.report.count(shimHonest, 1)
	}
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v has lost its shim, and runs: %v", l, left)
	}
}
