package storm

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// scene is a way to take a container through what davit does. Each failpoint is
// passed in one of them.
type scene struct {
	name  string
	style style
	// kick, if there is one, comes when the container runs; it is repeated until it
	// could be done.
	kick func(ctx context.Context, s *storm, l *life) bool
	// before, if there is one, makes something else happen on the way.
	before func(s *storm, t target)
	// daemons says that it takes a target with a daemon.
	daemons bool
}

// scenes are those of a survey, the plain ones first.
var scenes = []scene{
	{name: "it runs"},
	{name: "it cannot start", style: absent},
	{name: "it is killed", style: killed, kick: func(ctx context.Context, s *storm, l *life) bool { return s.killByAPI(ctx, l) && l.stop() == nil }},
	{name: "it is paused", style: steered, kick: func(ctx context.Context, s *storm, l *life) bool { s.pauseByAPI(ctx, l); return true }},
	{name: "it is measured", style: steered, kick: func(ctx context.Context, s *storm, l *life) bool { s.measureByAPI(ctx, l); return true }},
	{name: "its limits are changed", style: steered, kick: func(ctx context.Context, s *storm, l *life) bool { s.updateByAPI(ctx, l); return true }},
	{name: "its backend is looked at", style: steered, kick: func(ctx context.Context, s *storm, l *life) bool { s.lookAt(ctx, l.target); return true }},
	{name: "its executor is killed", style: steered, kick: func(_ context.Context, s *storm, l *life) bool { return s.killExecutor(l.target) }},
	{name: "the host is killed", style: steered, kick: func(_ context.Context, s *storm, _ *life) bool { return s.site.killHost() }},
	{name: "its containerd is killed", style: steered, daemons: true, kick: func(_ context.Context, s *storm, l *life) bool { return s.killContainerd(l.target) }},
	{name: "the host is killed in its create", before: func(s *storm, _ target) { s.arm("host.ask.create", "kill") }},
	{name: "its executor is killed in its create", before: func(s *storm, t target) { s.arm(t.name+"+kit.call.create-done", "kill") }},
}

// spot is where a failpoint is passed: in which scenes, and on which targets.
type spot struct {
	scenes  []scene
	targets []target
}

// survey takes containers through all scenes and returns the failpoints that they
// pass.
func (s *storm) survey(ctx context.Context) map[string]spot {
	found := map[string]spot{}
	defer s.surveying()()
	for _, sc := range scenes {
		var wg sync.WaitGroup
		slots := make(chan struct{}, visitors)
		for _, t := range s.site.targets {
			for _, runtime := range t.runtimes {
				if sc.daemons && t.daemon == "" {
					continue
				}
				wg.Go(func() {
					slots <- struct{}{}
					defer func() { <-slots }()
					s.play(ctx, sc, t, runtime, func() {}, func() {})
				})
			}
		}
		wg.Wait()
		for place, targets := range s.seen() {
			at := found[place]
			at.scenes = append(at.scenes, sc)
			for _, t := range targets {
				if !slices.ContainsFunc(at.targets, func(have target) bool { return have.name == t.name }) {
					at.targets = append(at.targets, t)
				}
			}
			found[place] = at
		}
		s.logf("survey: %s: %d failpoints so far", sc.name, len(found))
	}
	return found
}

// surveying has the processes note which failpoints they pass, until end is called.
func (s *storm) surveying() (end func()) {
	path := filepath.Join(s.site.failpoints, "survey")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		s.report.bad(others, "%v", err)
	}
	return func() { _ = os.Remove(path) }
}

// seen returns the failpoints that were passed since it was asked last, with the
// targets on which they were. Those of the host may be on any.
func (s *storm) seen() map[string][]target {
	found := map[string][]target{}
	files, _ := filepath.Glob(filepath.Join(s.site.failpoints, "seen.*"))
	for _, path := range files {
		_ = os.Remove(path)
		scope, place, _ := strings.Cut(strings.TrimPrefix(filepath.Base(path), "seen."), "+")
		for _, t := range s.site.targets {
			if strings.HasPrefix(place, "host.") || t.name == scope {
				found[place] = append(found[place], t)
			}
		}
	}
	return found
}

// play takes a container through a scene. armed is called when what leads to the
// scene is over, and struck when it was kicked.
func (s *storm) play(ctx context.Context, sc scene, t target, runtime string, armed, struck func()) {
	l := s.next()
	l.target, l.runtime, l.style = t, runtime, sc.style
	l.rate, l.lines = 1000, 100
	if sc.kick == nil {
		if sc.before != nil {
			sc.before(s, t)
		}
		armed()
		s.live(ctx, nil, l)
		return
	}
	l.lines = 0
	if !s.begin(ctx, nil, l) {
		return
	}
	armed()
	for tries := 0; !sc.kick(ctx, s, l) && tries < 100; tries++ {
		pause(ctx, 20*time.Millisecond)
	}
	struck()
	_ = l.stop()
	s.end(ctx, nil, l)
}

// killByAPI asks for a container that has begun to write to be killed.
func (s *storm) killByAPI(ctx context.Context, l *life) bool {
	for out, _ := l.acked(); out == 0 && pause(ctx, 10*time.Millisecond); out, _ = l.acked() {
	}
	return nil == s.insist(ctx, func() error {
		return s.site.client.call(ctx, "POST", "/containers/"+l.id+"/kill", map[string]any{}, nil)
	})
}

// pauseByAPI pauses a container and lets it go on. Not every backend can, and it may
// end meanwhile.
func (s *storm) pauseByAPI(ctx context.Context, l *life) {
	for _, what := range []string{"pause", "resume"} {
		_ = s.insist(ctx, func() error {
			return s.site.client.call(ctx, "POST", "/containers/"+l.id+"/"+what, map[string]any{}, nil)
		})
	}
}

// updateByAPI gives a container more memory than it needs. Not every backend can, and it may
// end meanwhile.
func (s *storm) updateByAPI(ctx context.Context, l *life) {
	_ = s.insist(ctx, func() error {
		return s.site.client.call(ctx, "POST", "/containers/"+l.id+"/update", map[string]any{"memory_bytes": 1 << 30}, nil)
	})
}

// measureByAPI asks what a container uses. It may end meanwhile.
func (s *storm) measureByAPI(ctx context.Context, l *life) {
	_ = s.insist(ctx, func() error { return s.site.client.call(ctx, "GET", "/containers/"+l.id+"/stats", nil, nil) })
}

// lookAt asks a backend what it can do. That it cannot say is no matter here.
func (s *storm) lookAt(ctx context.Context, t target) {
	for _, what := range []string{"runtimes", "check"} {
		var answer any
		_ = s.site.client.call(ctx, "GET", "/backends/"+t.name+"/"+what, nil, &answer)
	}
}

// mustHave are patterns of failpoints each of which must have been hit: the seams on
// each side of what the storm has as targets.
func (s *storm) mustHave() []string {
	patterns := []string{
		`^host\.(commit|state|remove)\.`, `^host\.store\.(open|sync)$`, `^host\.executor\.attach$`, `^host\.reconcile\.missing$`,
		`^kit\.ask\.(exited|released)$`, `^kit\.try\.create-done$`, `^host\.call\.(exited|released)$`,
	}
	for _, call := range calls() {
		patterns = append(patterns, `^kit\.call\.`+call+`-done$`, `^host\.ask\.`+call+`-done$`)
	}
	for _, t := range s.site.targets {
		switch {
		case t.daemon != "":
			patterns = append(patterns, `^`+t.executor+`\.daemon\.start`, `^`+t.executor+`\.(rpc|state|remove)\.`)
		case t.executor == "shim":
			patterns = append(patterns, `^shim\.(rpc|state|remove)\.`)
		}
	}
	return patterns
}

// checkVisits wants all seams among the failpoints that were hit, each in so many
// visits. What is passed in a minority of the scenes is passed by chance, or when
// something else has gone before, such as the removal of copies of programs that
// nothing runs any more: one visit in thirty may be missed.
func (s *storm) checkVisits(spots map[string]spot, visits int) {
	var hit, missed []string
	for place, at := range spots {
		came := s.report.came(place)
		if came > 0 {
			hit = append(hit, place)
		} else if 2*len(at.scenes) > len(scenes) {
			s.report.bad(tooFew, "failpoint %s was not hit", place)
		}
		for range visits - came {
			missed = append(missed, place)
		}
	}
	for _, pattern := range s.mustHave() {
		if !slices.ContainsFunc(hit, regexp.MustCompile(pattern).MatchString) {
			s.report.bad(tooFew, "no failpoint %s was hit", pattern)
		}
	}
	s.report.count("visits that did not come", len(missed))
	if len(missed) > len(spots)*visits/30 {
		s.report.bad(tooFew, "failpoints that could not be hit again: %v", missed)
	}
}
