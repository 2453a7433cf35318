package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A loss is a way in which the state of a dead host is lost.
type loss struct {
	name string
	// older puts back a store that was copied aside during the run.
	older bool
	// files are patterns of what is removed from the state directory before.
	files []string
}

var losses = []loss{
	{name: "missing", files: []string{"davit.db"}},
	{name: "older", older: true},
	{name: "missing with all beside it", files: []string{"davit.db*"}},
	{name: "older, without its mark", older: true, files: []string{"davit.db.mark"}},
	{name: "missing with the copies of the records", files: []string{"davit.db", "containers/*/*.json"}},
	{name: "older, and the copies of the records missing", older: true, files: []string{"containers/*/*.json"}},
}

// loseStates loses the state of a dead host n times while containers run on all runtimes,
// and others begin and end after the copy that is put back. Nothing may die of it, and
// the next host must know all of them and their ends. Every second time the executors die,
// too.
func loseStates(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		var lives []*life
		for _, t := range s.site.targets {
			for _, runtime := range t.runtimes {
				if l := s.beginSteered(ctx, t, runtime); l != nil {
					lives = append(lives, l)
				}
			}
		}
		rnd := rand.New(rand.NewPCG(s.seed, 1))
		var kept [][]byte // stores, the newest last
		for i := 0; i < n && ctx.Err() == nil && s.report.failed() <= 20; i++ {
			of := lives[i%len(lives)]
			early := s.beginSteered(ctx, of.target, of.runtime)
			text, err := os.ReadFile(s.storeFile())
			if err != nil {
				s.report.bad(others, "%v", err)
			}
			kept = append(kept, text)
			late := s.beginSteered(ctx, of.target, of.runtime)
			if early == nil || late == nil {
				return
			}
			if err := early.stop(); err != nil {
				s.report.bad(others, "%v", err)
			}
			if rnd.IntN(2) == 0 {
				s.awaitEnd(ctx, nil, early)
			}
			how := losses[i%len(losses)]
			s.lose(ctx, how, kept[max(0, len(kept)-1-rnd.IntN(3))], i%2 == 1)
			s.report.fault("state", how.name)
			for _, l := range append([]*life{late}, lives...) {
				s.checkLives(ctx, l, how.name)
			}
			if err := late.stop(); err != nil {
				s.report.bad(others, "%v", err)
			}
			s.end(ctx, nil, early)
			s.end(ctx, nil, late)
			s.removeGhosts(ctx)
		}
		var wg sync.WaitGroup
		for _, l := range lives {
			if err := l.stop(); err != nil {
				s.report.bad(others, "%v", err)
			}
			wg.Go(func() { s.end(ctx, nil, l) })
		}
		wg.Wait()
	}
}

func (s *storm) storeFile() string { return filepath.Join(s.site.dir, "state/davit.db") }

// beginSteered creates a container that runs until it is told to end, or returns nil.
func (s *storm) beginSteered(ctx context.Context, t target, runtime string) *life {
	l := s.next()
	l.target, l.runtime, l.style, l.rate, l.lines = t, runtime, steered, 20, 0
	if !s.begin(ctx, nil, l) {
		return nil
	}
	return l
}

// lose loses the state of a dead host, and lets another start.
func (s *storm) lose(ctx context.Context, how loss, older []byte, executors bool) {
	up := s.site.downHost()
	if executors {
		for _, t := range s.site.targets {
			s.killExecutor(t)
		}
	}
	for _, pattern := range how.files {
		found, _ := filepath.Glob(filepath.Join(s.site.dir, "state", pattern))
		for _, path := range found {
			if err := os.Remove(path); err != nil {
				s.report.bad(others, "%v", err)
			}
		}
	}
	if how.older {
		if err := os.WriteFile(s.storeFile(), older, 0o600); err != nil {
			s.report.bad(others, "%v", err)
		}
	}
	begin := time.Now()
	up()
	if err := s.site.waitReady(ctx); err != nil {
		s.report.bad(others, "after the state was %s: %v", how.name, err)
	}
	s.report.took("start when the state is "+how.name, time.Since(begin))
}

// removeGhosts removes the records of containers that were removed, and that an older state
// brings back. None of them may be said to run.
func (s *storm) removeGhosts(ctx context.Context) {
	s.mu.Lock()
	gone := map[string]*life{}
	for _, l := range s.lives {
		if l.gone {
			gone[l.id] = l
		}
	}
	s.mu.Unlock()
	var all []containerView
	if err := s.insist(ctx, func() error { return s.site.client.call(ctx, "GET", "/containers", nil, &all) }); err != nil {
		s.report.bad(others, "%v", err)
	}
	for _, v := range all {
		l := gone[v.ID]
		if l == nil {
			continue
		}
		if v.State != "exited" && v.State != "failed" {
			s.report.bad(others, "%v was removed, and is %s: %s", l, v.State, v.Error)
		}
		err := s.insist(ctx, func() error {
			return s.site.client.call(ctx, "DELETE", fmt.Sprintf("/containers/%s", v.ID), nil, nil)
		})
		if err != nil && ctx.Err() == nil {
			s.report.bad(leftovers, "%v, which was removed: %v", l, err)
		}
	}
}
