package storm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/linux"
)

// hanging is the runtime of which a start never comes to an end, and slow the one whose
// starts take a while.
const (
	hanging = "hanging"
	slow    = "slow"
)

// startTargets are all targets, with runtimes that are slow and hang where there are
// runtimes at all.
func (opts Options) startTargets() []target {
	all := opts.targets()
	for i := range all {
		t := &all[i]
		t.more += "  start_timeout = \"1m\"\n"
		if t.direct || t.inline {
			continue
		}
		for _, name := range []string{hanging, slow} {
			t.more += fmt.Sprintf("  runtime %q {\n    path = \"{dir}/%s\"\n  }\n", name, name)
		}
	}
	return all
}

// signs is the directory in which a runtime that hangs leaves a sign, named for the
// container.
const signs = "signs"

// writeRuntimes makes the runtimes that are slow and hang.
func (s *storm) writeRuntimes() error {
	dir := filepath.Join(s.site.dir, signs)
	scripts := map[string]string{
		hanging: `case " $* " in *" create "*) for last; do :; done; : >` + dir + `/$last; /bin/sleep 100000; esac`,
		slow:    `case " $* " in *" create "*) /bin/sleep 2; esac`,
	}
	err := os.MkdirAll(dir, 0o700)
	for name, script := range scripts {
		err = errors.Join(err, linux.WriteProgram(filepath.Join(s.site.dir, name), []byte("#!/bin/sh\n"+script+"\nexec runc \"$@\"\n"), 0o700))
	}
	return err
}

// ways are those in which a start that hangs comes to an end.
var ways = []string{"removed", "stopped", "out of time", "host killed, removed", "executor killed, removed"}

// starts makes starts slow, hang and end their executors, n times each on each target.
func starts(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		for range n {
			if err := s.writeRuntimes(); err != nil {
				s.report.bad(others, "%v", err)
				return
			}
			var wg sync.WaitGroup
			for _, t := range s.site.targets {
				wg.Go(func() {
					s.endsExecutor(ctx, t)
					if t.direct || t.inline {
						return
					}
					s.startSlowly(ctx, t)
					for _, way := range ways[:3] {
						s.hang(ctx, t, way)
					}
				})
			}
			wg.Wait()
			// The host is that of all targets.
			for _, t := range s.site.targets {
				for _, way := range ways[3:] {
					if !t.direct && !t.inline {
						s.hang(ctx, t, way)
					}
				}
			}
		}
		if err := os.RemoveAll(filepath.Join(s.site.dir, signs)); err != nil {
			s.report.bad(others, "%v", err)
		}
	}
}

// startSlowly lives a container whose start takes a while.
func (s *storm) startSlowly(ctx context.Context, t target) {
	l := s.next()
	l.target, l.runtime, l.style, l.rate, l.lines = t, slow, ordinary, 1000, 100
	s.live(ctx, nil, l)
	s.report.fault("start", "slow")
}

// hang ends a start that hangs, in a way.
func (s *storm) hang(ctx context.Context, t target, way string) {
	before := s.executorOf(ctx, t)
	l := s.next()
	l.target, l.runtime, l.style, l.rate, l.lines = t, hanging, steered, 1000, 0
	if err := s.prepare(l); err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	request := s.request(l)
	if way == "out of time" {
		request["start_timeout"] = "2s"
	}
	created := make(chan error, 1)
	go func() { created <- s.site.client.call(ctx, "POST", "/containers", request, nil) }()
	if !s.awaitHang(ctx, l) {
		return
	}
	s.known(l)
	var v containerView
	err := error(nil)
	switch {
	case strings.HasPrefix(way, "host killed"):
		s.site.killHost()
	case strings.HasPrefix(way, "executor killed"):
		s.killExecutor(t)
	case way == "stopped":
		err = s.insist(ctx, func() error {
			return s.site.client.call(ctx, "POST", "/containers/"+l.id+"/stop", map[string]any{"timeout": "1s"}, nil)
		})
	case way == "out of time":
		if got := <-created; got == nil {
			s.report.bad(others, "%v was started, and its runtime hangs", l)
		}
	}
	if err != nil {
		s.report.bad(others, "%v, %s: %v", l, way, err)
	}
	if way == "stopped" || way == "out of time" {
		if err := s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v); err != nil || v.State != "failed" || v.Error == "" {
			s.report.bad(others, "%v, %s: it is %q (%s), want failed, with the reason: %v", l, way, v.State, v.Error, err)
		}
	}
	s.remove(ctx, nil, l)
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v, %s, runs: %v", l, way, left)
	}
	if after := s.executorOf(ctx, t); !strings.Contains(way, "killed") && after != before {
		s.report.bad(others, "%v, %s: executor %d was replaced by %d for its sake", l, way, before, after)
	}
	s.report.fault("start hangs", way)
}

// awaitHang waits until the runtime of a container hangs, and learns the container's id.
func (s *storm) awaitHang(ctx context.Context, l *life) bool {
	for begin := time.Now(); time.Since(begin) < patience && pause(ctx, 20*time.Millisecond); {
		var v containerView
		if s.site.client.call(ctx, "GET", "/containers/"+l.name(), nil, &v) != nil {
			continue
		}
		l.id = v.ID
		if found, _ := filepath.Glob(filepath.Join(s.site.dir, signs, v.ID+"*")); len(found) > 0 {
			return true
		}
	}
	s.report.bad(tooFew, "%v: its start does not hang", l)
	return false
}

// endsExecutor has a container end its executor each time that it is started. It fails in
// the end, and one that runs beside it does not notice.
func (s *storm) endsExecutor(ctx context.Context, t target) {
	beside := s.next()
	beside.target, beside.runtime, beside.style, beside.rate, beside.lines = t, t.runtimes[0], steered, 1000, 0
	if !s.begin(ctx, nil, beside) {
		return
	}
	l := s.next()
	l.target, l.runtime, l.style, l.rate, l.lines = t, t.runtimes[0], steered, 1000, 0
	if err := s.prepare(l); err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	place := t.name + "+kit.call.create"
	over := make(chan struct{})
	var arming sync.WaitGroup
	s.arm(place, "kill")
	arming.Go(func() { // what is armed happens once
		for {
			select {
			case <-over:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := os.Stat(filepath.Join(s.site.failpoints, place)); err != nil {
				s.arm(place, "kill")
			}
		}
	})
	err := s.site.client.call(ctx, "POST", "/containers", s.request(l), nil)
	close(over)
	arming.Wait()
	s.disarm(place)
	var v containerView
	if err == nil {
		s.report.bad(others, "%v was started, though it ends its executor", l)
	}
	if err := s.site.client.call(ctx, "GET", "/containers/"+l.name(), nil, &v); err != nil || v.Error == "" {
		s.report.bad(others, "%v ends its executor: it is %q (%s), want failed, with the reason: %v", l, v.State, v.Error, err)
	}
	l.id = v.ID
	s.known(l)
	s.remove(ctx, nil, l)
	_ = beside.stop()
	s.end(ctx, nil, beside)
	s.report.fault("start", "ends its executor")
}

// executorOf returns the pid of a target's executor.
func (s *storm) executorOf(ctx context.Context, t target) int { return s.backend(ctx, t).PID }

// backend returns what the host says of a target, or the zero value.
func (s *storm) backend(ctx context.Context, t target) backendView {
	var all []backendView
	_ = s.insist(ctx, func() error { return s.site.client.call(ctx, "GET", "/backends", nil, &all) })
	if i := slices.IndexFunc(all, func(b backendView) bool { return b.Name == t.name }); i >= 0 {
		return all[i]
	}
	return backendView{}
}
