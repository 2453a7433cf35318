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
// the invariant that each must be noticed by. do is how it is looked for, if that is not in
// calm weather; targets are others than all, and network says that it needs one.
var bugs = []struct {
	name, invariant string
	do              func(context.Context, *storm)
	targets         func(Options) []target
	network         bool
}{
	{name: "exit-changed", invariant: wrongExits},
	{name: "exit-twice", invariant: wrongExits},
	{name: "line-lost", invariant: lost},
	{name: "line-torn", invariant: torn},
	{name: "line-doubled", invariant: doubled},
	{name: "second-start", invariant: secondStarts, do: func(ctx context.Context, s *storm) { s.startTwice(ctx) }},
	{name: "event-gap", invariant: eventGaps},
	{name: "image-damaged", invariant: damaged, do: images(0), targets: Options.imageTargets},
	{name: "leftover-process", invariant: leftovers},
	{name: "leftover-mount", invariant: leftovers},
	{name: "leftover-cgroup", invariant: leftovers},
	{name: "leftover-bundle", invariant: leftovers},
	{name: "leftover-socket", invariant: leftovers},
	{name: "leak-fd", invariant: leaks},
	{name: "leak-goroutine", invariant: leaks},
	{name: "lease-kept", invariant: leftovers, do: visitNetwork, targets: Options.networkTargets, network: true},
	{name: "name-lost", invariant: unnamed, do: visitNetwork, targets: Options.networkTargets, network: true},
	{name: "rules-lost", invariant: unrepaired, do: visitNetwork, targets: Options.networkTargets, network: true},
}

// noticeBugs runs a short storm over davit with each bug.
func noticeBugs(ctx context.Context, s *storm) {
	for _, bug := range bugs {
		var text strings.Builder
		seen := newReport(&text)
		opts := s.opts
		opts.Out, opts.Keep, opts.Verbose, opts.Duration = io.Discard, false, false, time.Minute
		look := row{name: bug.name, failpoints: true, network: bug.network, targets: bug.targets}
		look.do = func(ctx context.Context, bad *storm) {
			bad.arm("bug."+bug.name, "")
			if bug.do == nil {
				bad.checkLeaks(ctx)
				return
			}
			bug.do(ctx, bad)
		}
		err := opts.run(ctx, look, seen)
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
