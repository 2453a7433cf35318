package storm

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The kinds of faults that come in phases. Those that name containerd need a
// target with a daemon.
const (
	killsHost       = "host"
	killsExecutor   = "executor"
	killsContainerd = "containerd"
	killsHostExec   = "host + executor"
	killsHostDaemon = "host + containerd"
	killsExecDaemon = "executor + containerd"
	killsAll        = "host + executor + containerd"
	stopsExecutor   = "executor stopped"
	downsContainerd = "containerd down for up to 4 s"
	// Those that need a network.
	killsHolder     = "port holder"
	killsHostHolder = "host + port holder"
	killsResolver   = "resolver"
	flushesRules    = "rules flushed"
)

var kinds = []string{
	killsHost, killsExecutor, killsContainerd, killsHostExec, killsHostDaemon, killsExecDaemon, killsAll, stopsExecutor, downsContainerd,
	killsHolder, killsHostHolder, killsResolver, flushesRules,
}

// strike makes a fault that touches t, and reports whether it could be made.
func (s *storm) strike(ctx context.Context, kind string, t target, rnd *rand.Rand) bool {
	switch kind {
	case stopsExecutor:
		return s.stopExecutor(ctx, t, rnd)
	case downsContainerd:
		return s.containerdDown(ctx, t, upTo(rnd, 4*time.Second))
	case flushesRules:
		return s.flushRules(ctx)
	}
	// What is killed together is killed in a random order, at once or with short
	// pauses, by which a fault hits what follows an earlier one.
	var kills []func() bool
	for name := range strings.SplitSeq(kind, " + ") {
		kills = append(kills, map[string]func() bool{
			killsHost:       s.site.killHost,
			killsExecutor:   func() bool { return s.killExecutor(t) },
			killsContainerd: func() bool { return s.killContainerd(t) },
			killsHolder:     func() bool { return s.killHolder(rnd) },
			killsResolver:   s.killResolver,
		}[name])
	}
	rnd.Shuffle(len(kills), func(i, j int) { kills[i], kills[j] = kills[j], kills[i] })
	done := kills[0]()
	for _, kill := range kills[1:] {
		if rnd.IntN(2) == 0 {
			pause(ctx, upTo(rnd, 150*time.Millisecond))
		}
		done = kill() && done
	}
	return done
}

// stopExecutor stops an executor as a debugger does: long enough, and the host
// takes it for hung.
func (s *storm) stopExecutor(ctx context.Context, t target, rnd *rand.Rand) bool {
	is := s.site.isExecutor(t)
	p, ok := only(is)
	if !ok || !signalTo(p, is, syscall.SIGSTOP) {
		return false
	}
	most := 2 * time.Second
	if rnd.IntN(5) == 0 {
		most = 20 * time.Second
	}
	pause(ctx, upTo(rnd, most))
	signalTo(p, is, syscall.SIGCONT) // unless it was killed meanwhile
	return true
}

// containerdDown kills a containerd and keeps its executor from starting it
// again for a while.
func (s *storm) containerdDown(ctx context.Context, t target, d time.Duration) bool {
	is := s.site.isExecutor(t)
	p, ok := only(is)
	if !ok || !signalTo(p, is, syscall.SIGSTOP) {
		return false
	}
	done := s.killContainerd(t)
	pause(ctx, d)
	signalTo(p, is, syscall.SIGCONT)
	return done
}

func (s *storm) killExecutor(t target) bool {
	is := s.site.isExecutor(t)
	p, ok := only(is)
	return ok && signalTo(p, is, syscall.SIGKILL)
}

func (s *storm) killContainerd(t target) bool {
	is := s.site.isContainerd(t)
	p, ok := only(is)
	if !ok || !signalTo(p, is, syscall.SIGKILL) {
		return false
	}
	s.mu.Lock()
	s.downs[t.name]++
	s.mu.Unlock()
	return true
}

// down counts the containerds of a target that were killed so far.
func (s *storm) down(t target) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.downs[t.name]
}

// weather makes the faults of a plan.
type weather struct {
	storm *storm
	plan  *plan
	calm  context.CancelFunc // when all faults have come
	busy  sync.Mutex         // one fault at a time
	wg    sync.WaitGroup

	mu sync.Mutex
	// creating is how long containers took of late from creation to running.
	creating time.Duration
	// steps counts what the containers of a target have come through.
	steps map[string]int
}

// stepsOf returns the count of a target.
func (w *weather) stepsOf(t target) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.steps[t.name]
}

// enters reports that a container begins a phase of its life. Some are struck then.
// A nil weather is calm.
func (w *weather) enters(ctx context.Context, l *life, phase string) {
	l.phase.Store(&phase)
	if w == nil || ctx.Err() != nil {
		return
	}
	w.mu.Lock()
	within := window[phase]
	if phase == phaseCreating {
		l.asked = time.Now()
		within = max(within, w.creating)
	} else {
		w.steps[l.target.name]++
	}
	if phase == phaseRunning {
		w.creating += (time.Since(l.asked) - w.creating) / 8
	}
	w.mu.Unlock()
	if wait, ok := w.plan.wants(phase, within); ok {
		w.wg.Go(func() {
			if pause(ctx, wait) {
				w.strike(ctx, l)
			}
		})
	}
}

// strike makes a fault for the phase in which a container is.
func (w *weather) strike(ctx context.Context, l *life) {
	if !w.busy.TryLock() {
		return // one is under way
	}
	defer w.busy.Unlock()
	phase := w.storm.phaseOf(ctx, l)
	kind, rnd, ok := w.plan.take(phase, func(kind string) bool { return l.target.daemon != "" || !strings.Contains(kind, "containerd") })
	if !ok {
		return
	}
	if !w.storm.strike(ctx, kind, l.target, rnd) {
		w.plan.putBack(phase, kind)
		return
	}
	w.storm.report.fault(kind, phase)
	w.storm.logf("%s, phase %s, backend %s", kind, phase, l.target.name)
	if w.plan.open() == 0 {
		w.calm()
	}
	// Some faults hit the recovery from this one. Before the others something must
	// have come a step further, or nothing would ever get done.
	if rnd.IntN(4) > 0 {
		before := w.stepsOf(l.target)
		for begin := time.Now(); time.Since(begin) < recovery && w.stepsOf(l.target) == before && pause(ctx, 10*time.Millisecond); {
		}
	}
}

// recovery is how long a fault may keep the next one from coming.
const recovery = 10 * time.Second

// upTo returns a random duration below most.
func upTo(rnd *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rnd.Int64N(int64(most)))
}
