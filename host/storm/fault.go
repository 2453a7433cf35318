package storm

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// The phases of a container's life in which faults are counted. A fault of phase
// random comes at any moment.
const (
	phaseRandom   = "random"
	phaseCreate   = "create"
	phaseRunning  = "running"
	phaseExiting  = "exiting"
	phaseDeleting = "deleting"
)

var phases = []string{phaseRandom, phaseCreate, phaseRunning, phaseExiting, phaseDeleting}

// window is how long after the beginning of a phase a fault may come. They are
// about what the phase takes.
var window = map[string]time.Duration{
	phaseCreate:   150 * time.Millisecond,
	phaseRunning:  time.Second,
	phaseExiting:  100 * time.Millisecond,
	phaseDeleting: 50 * time.Millisecond,
}

// fault is a kind of mischief on one backend. do reports whether it was done.
type fault struct {
	kind   string
	weight int
	do     func(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool
}

var faults = []fault{
	{"host", 30, func(_ context.Context, s *storm, _ backend, _ *rand.Rand) bool { return s.site.killHost() }},
	{"executor", 25, func(_ context.Context, s *storm, b backend, _ *rand.Rand) bool { return s.killExecutor(b) }},
	{"containerd", 12, func(_ context.Context, s *storm, b backend, _ *rand.Rand) bool { return s.killContainerd(b) }},
	{"host+executor", 10, func(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool {
		return inTurn(ctx, rnd, s.site.killHost, func() bool { return s.killExecutor(b) })
	}},
	{"host+containerd", 8, func(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool {
		return inTurn(ctx, rnd, s.site.killHost, func() bool { return s.killContainerd(b) })
	}},
	{"executor+containerd", 8, func(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool {
		return inTurn(ctx, rnd, func() bool { return s.killExecutor(b) }, func() bool { return s.killContainerd(b) })
	}},
	{"all three", 4, func(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool {
		return inTurn(ctx, rnd, s.site.killHost, func() bool { return s.killExecutor(b) }, func() bool { return s.killContainerd(b) })
	}},
	{"executor stopped", 4, stopExecutor},
	{"containerd down", 3, containerdDown},
}

// inTurn does things in a random order, at once or with short pauses, which make
// a fault hit what follows an earlier one.
func inTurn(ctx context.Context, rnd *rand.Rand, things ...func() bool) bool {
	rnd.Shuffle(len(things), func(i, j int) { things[i], things[j] = things[j], things[i] })
	done := things[0]()
	for _, thing := range things[1:] {
		if rnd.IntN(2) == 0 {
			pause(ctx, upTo(rnd, 150*time.Millisecond))
		}
		done = thing() && done
	}
	return done
}

// stopExecutor stops an executor as a debugger does: long enough, and the host
// takes it for hung.
func stopExecutor(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool {
	is := s.site.isExecutor(b)
	p, ok := only(is)
	if !ok || !signalTo(p, is, syscall.SIGSTOP) {
		return false
	}
	most := 3 * time.Second
	if rnd.IntN(5) == 0 {
		most = 20 * time.Second
	}
	pause(ctx, upTo(rnd, most))
	signalTo(p, is, syscall.SIGCONT) // unless it was killed meanwhile
	return true
}

// containerdDown kills a containerd and keeps its executor from starting it
// again for a while.
func containerdDown(ctx context.Context, s *storm, b backend, rnd *rand.Rand) bool {
	is := s.site.isExecutor(b)
	p, ok := only(is)
	if !ok || !signalTo(p, is, syscall.SIGSTOP) {
		return false
	}
	done := s.killContainerd(b)
	pause(ctx, upTo(rnd, 4*time.Second))
	signalTo(p, is, syscall.SIGCONT)
	return done
}

func (s *storm) killExecutor(b backend) bool {
	is := s.site.isExecutor(b)
	p, ok := only(is)
	return ok && signalTo(p, is, syscall.SIGKILL)
}

func (s *storm) killContainerd(b backend) bool {
	is := s.site.isContainerd(b)
	p, ok := only(is)
	if !ok || !signalTo(p, is, syscall.SIGKILL) {
		return false
	}
	s.mu.Lock()
	s.downs[b.name]++
	s.mu.Unlock()
	return true
}

// down counts the containerds of a backend that were killed so far.
func (s *storm) down(b backend) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.downs[b.name]
}

// weather makes faults until ctx ends.
type weather struct {
	storm *storm
	busy  sync.Mutex // one fault at a time
	wg    sync.WaitGroup

	mu  sync.Mutex
	rnd *rand.Rand
}

// blow makes faults at random moments.
func (w *weather) blow(ctx context.Context) {
	for pause(ctx, w.draw(1500*time.Millisecond)) {
		w.strike(ctx, phaseRandom, w.storm.site.backends[w.drawInt(len(w.storm.site.backends))])
	}
}

// enters tells that a container on b begins a phase of its life. Some are struck.
func (w *weather) enters(ctx context.Context, phase string, b backend) {
	if w.drawInt(8) != 0 || ctx.Err() != nil {
		return
	}
	wait := w.draw(window[phase])
	w.wg.Go(func() {
		if pause(ctx, wait) {
			w.strike(ctx, phase, b)
		}
	})
}

// strike makes a fault that touches b.
func (w *weather) strike(ctx context.Context, phase string, b backend) {
	if ctx.Err() != nil || !w.busy.TryLock() {
		return // one is under way
	}
	defer w.busy.Unlock()
	f, rnd := w.pick()
	if f.do(ctx, w.storm, b, rnd) {
		w.storm.report.fault(f.kind, phase)
		w.storm.logf("%s, phase %s, backend %s", f.kind, phase, b.name)
	}
	if w.storm.opts.Kills > 0 && w.storm.report.kills() >= w.storm.opts.Kills {
		w.storm.calm()
	}
}

// pick gives a fault, and chance for its details.
func (w *weather) pick() (fault, *rand.Rand) {
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	n := w.drawInt(sum)
	i := slices.IndexFunc(faults, func(f fault) bool { n -= f.weight; return n < 0 })
	return faults[i], rand.New(rand.NewPCG(w.storm.opts.Seed, uint64(w.drawInt(1<<62))))
}

func (w *weather) draw(most time.Duration) time.Duration { return time.Duration(w.drawInt(int(most))) }

func (w *weather) drawInt(below int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rnd.IntN(below)
}

// upTo gives a random duration below most.
func upTo(rnd *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rnd.Int64N(int64(most)))
}
