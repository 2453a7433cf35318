package storm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// storm is one run of a row: a host, what it runs, and what was seen.
type storm struct {
	opts   Options
	seed   uint64
	site   *site
	report *report
	// lenient allows containers to fail to start: faults other than deaths of
	// processes may make a backend refuse.
	lenient bool
	numbers atomic.Int64 // of containers

	mu    sync.Mutex
	downs map[string]int // containerds killed, by target
	lives []*life
	// addresses has the containers that have one, by address, and stays those to which all
	// others on the network look.
	addresses map[string]*life
	stays     []*life
	// disturbed is when what serves ports and names was last killed, or cut off, and
	// disturbing how many do so now.
	disturbed  time.Time
	disturbing int
}

// run runs a row on a site of its own.
func (opts Options) run(ctx context.Context, r row, report *report) error {
	all := opts.targets()
	if r.targets != nil {
		all = r.targets(opts)
	}
	bin, err := opts.programs.build(ctx, opts.targets(), r.failpoints)
	if err != nil {
		return err
	}
	site, err := newSite(ctx, bin, all, r, report)
	if err != nil {
		if site != nil {
			err = errors.Join(err, site.stop(), site.net.close(), os.RemoveAll(site.dir))
		}
		return err
	}
	s := &storm{opts: opts, seed: opts.Seed, site: site, report: report, lenient: r.lenient, downs: map[string]int{}, addresses: map[string]*life{}}
	site.mortal = r.mortal
	journal := s.follow(ctx)
	r.do(ctx, s)
	if ctx.Err() == nil {
		s.checkPanics()
		if !r.rewrites {
			journal.check(ctx)
		}
	}
	journal.stop()
	journal.wg.Wait()
	s.checkLeftovers(context.WithoutCancel(ctx)) // also when it is cut off
	if err := site.net.close(); err != nil {
		s.report.bad(others, "%v", err)
	}
	if report.failed() > 0 && opts.Keep {
		fmt.Fprintf(opts.Out, "kept: %s\n", site.dir)
		return nil
	}
	return os.RemoveAll(site.dir)
}

// next returns the next container.
func (s *storm) next() *life { return s.newLife(int(s.numbers.Add(1))) }

// crowd keeps n containers running until ctx ends, each struck by the weather. It
// returns when the last has been checked and removed.
func (s *storm) crowd(ctx, until context.Context, w *weather, n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for until.Err() == nil && ctx.Err() == nil {
				l := s.next()
				s.join(l)
				s.live(ctx, w, l)
			}
		})
	}
	wg.Wait()
}

// kills makes faults in all phases, and then looks for leaks, if it shall.
func kills(counts map[string]int, leaks bool) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		s.weather(ctx, counts)
		if leaks && ctx.Err() == nil {
			s.checkLeaks(ctx)
		}
	}
}

// weather makes faults in all phases until those of a plan have come.
func (s *storm) weather(ctx context.Context, counts map[string]int) {
	p := newPlan(s.seed, counts)
	total := p.open()
	until, calm := context.WithTimeout(ctx, s.opts.Duration)
	defer calm()
	w := &weather{storm: s, plan: p, calm: calm, steps: map[string]int{}}
	var progress sync.WaitGroup
	progress.Go(func() {
		for pause(until, 30*time.Second) {
			fmt.Fprintf(s.opts.Out, "%6.0fs %d of %d faults\n", time.Since(s.report.begin).Seconds(), total-p.open(), total)
		}
	})
	s.crowd(ctx, until, w, s.opts.Parallel)
	progress.Wait()
	w.wg.Wait()
	for phase, left := range p.left {
		for kind, n := range left {
			if n > 0 && ctx.Err() == nil {
				s.report.bad(tooFew, "%s in phase %s: %d are missing", kind, phase, n)
			}
		}
	}
}

func (s *storm) logf(format string, args ...any) {
	if s.opts.Verbose {
		fmt.Fprintf(s.opts.Out, "%s %8.3fs %s\n", time.Now().UTC().Format("15:04:05.000"), time.Since(s.report.begin).Seconds(), fmt.Sprintf(format, args...))
	}
}

// pause waits for d and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
