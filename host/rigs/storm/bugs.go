package storm

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// bugs are those that davit has on demand, when it is built with failpoints, and
// the invariant that each must be noticed by.
var bugs = []struct{ name, invariant string }{
	{"exit-changed", wrongExits},
	{"exit-twice", wrongExits},
	{"line-lost", lost},
	{"line-torn", torn},
	{"line-doubled", doubled},
	{"second-start", secondStarts},
	{"event-gap", eventGaps},
	{"image-damaged", damaged},
	{"leftover-process", leftovers},
	{"leftover-mount", leftovers},
	{"leftover-cgroup", leftovers},
	{"leftover-bundle", leftovers},
	{"leftover-socket", leftovers},
	{"leak-fd", leaks},
	{"leak-goroutine", leaks},
}

// noticeBugs runs a short storm over davit with each bug.
func noticeBugs(ctx context.Context, s *storm) {
	for _, bug := range bugs {
		var text strings.Builder
		seen := newReport(&text)
		opts := s.opts
		opts.Out, opts.Keep, opts.Verbose, opts.Duration = io.Discard, false, false, time.Minute
		r := row{name: bug.name, failpoints: true}
		provoke := func(ctx context.Context, bad *storm) { bad.checkLeaks(ctx) }
		switch bug.invariant {
		case secondStarts:
			provoke = func(ctx context.Context, bad *storm) { bad.startTwice(ctx) }
		case damaged:
			r.targets, provoke = Options.imageTargets, images(0)
		}
		r.do = func(ctx context.Context, bad *storm) {
			bad.arm("bug."+bug.name, "")
			provoke(ctx, bad)
		}
		err := opts.run(ctx, r, seen)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.report.bad(others, "bug %s: %v", bug.name, err)
		case !seen.broke(bug.invariant):
			s.report.bad(others, "bug %s was not noticed as %q; what was: %s", bug.name, bug.invariant, text.String())
		default:
			s.report.fault(bug.name, bug.invariant)
			fmt.Fprintf(s.opts.Out, "%6.0fs bug %s was noticed: %.100s\n", time.Since(s.report.begin).Seconds(), bug.name, seen.violations[0])
		}
	}
}

// startTwice has executors panic when they have started a workload and nobody knows,
// so that they are asked again.
func (s *storm) startTwice(ctx context.Context) {
	end := s.surveying()
	s.calmCrowd(ctx, len(s.site.targets))
	end()
	for place, targets := range s.seen() {
		if !started.MatchString(place) {
			continue
		}
		for _, t := range targets {
			l := s.next()
			l.target, l.runtime, l.rate, l.lines = t, t.runtimes[0], 1000, 300
			s.arm(t.name+"+"+place, "panic")
			s.live(ctx, nil, l)
		}
	}
}

// started matches the failpoints where a daemon or a shim has started a workload.
var started = regexp.MustCompile(`\.rpc\.Start-.*-done$`)
