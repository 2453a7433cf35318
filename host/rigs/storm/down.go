package storm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// downTargets returns n backends on each containerd.
func (opts Options) downTargets(n int) (all []target) {
	for _, t := range opts.targets() {
		for i := range n {
			if t.daemon != "" {
				all = append(all, containerdTarget(fmt.Sprintf("%s%d", t.name, i), t.daemon, t.runtimes...))
			}
		}
	}
	return all
}

// downs takes the containerds of all backends down at once, for a time in which
// containers exit, so many rounds.
func downs(rounds int, d time.Duration) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		for range rounds {
			var wg sync.WaitGroup
			for _, t := range s.site.targets {
				wg.Go(func() { s.downWithExits(ctx, t, d) })
			}
			wg.Wait()
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// downWithExits runs two containers on each runtime of a target, keeps its
// containerd from running, lets one of each two exit meanwhile and one afterwards.
func (s *storm) downWithExits(ctx context.Context, t target, d time.Duration) {
	var during, after []*life
	for _, runtime := range t.runtimes {
		for i := range 2 {
			l := s.next()
			l.target, l.runtime, l.style, l.rate, l.lines = t, runtime, steered, 200, 0
			if !s.begin(ctx, nil, l) {
				return
			}
			if i == 0 {
				during = append(during, l)
			} else {
				after = append(after, l)
			}
		}
	}
	up, err := s.site.disable(t)
	if err != nil {
		s.report.bad(others, "%v", err)
		return
	}
	if !s.killContainerd(t) {
		s.report.bad(tooFew, "containerd of %s was not found", t.name)
	}
	s.report.fault("containerd down for "+d.String(), t.name)
	for _, l := range during {
		pause(ctx, d/time.Duration(len(during)+1))
		if err := l.stop(); err != nil {
			s.report.bad(others, "%v", err)
		}
	}
	pause(ctx, d/time.Duration(len(during)+1))
	if p, ok := only(s.site.isContainerd(t)); ok {
		s.report.bad(tooFew, "the containerd of %s was not down: %v", t.name, p)
	}
	if err := up(); err != nil {
		s.report.bad(others, "%v", err)
	}
	for _, l := range after {
		if err := l.stop(); err != nil {
			s.report.bad(others, "%v", err)
		}
	}
	for _, l := range append(during, after...) {
		s.end(ctx, nil, l)
	}
}

// disable makes the program of a target's containerd unavailable until up is
// called: where it lies there are links to it and to what belongs to it.
func (s *site) disable(t target) (up func() error, err error) {
	program := filepath.Join(s.daemonDir(t), "containerd")
	away := program + ".away"
	if err := os.Rename(program, away); err != nil {
		return nil, err
	}
	return func() error { return os.Rename(away, program) }, nil
}

// daemonDir is where the links to a target's containerd and its shims are.
func (s *site) daemonDir(t target) string { return filepath.Join(s.dir, "d", t.name) }

// linkDaemon makes the links, and returns the daemon by its link.
func (s *site) linkDaemon(t target) (target, error) {
	if t.daemon == "" {
		return t, nil
	}
	dir := s.daemonDir(t)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return t, err
	}
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(t.daemon), "containerd*"))
	for _, program := range found {
		if err := os.Symlink(program, filepath.Join(dir, filepath.Base(program))); err != nil {
			return t, err
		}
	}
	t.daemon = filepath.Join(dir, "containerd")
	return t, nil
}
