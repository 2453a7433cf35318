package storm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// actions are what is done at each failpoint, one a visit.
var actions = []string{"kill", "stop", "panic", "error", "sleep 1s"}

// visitors is how many failpoints are visited at a time.
const visitors = 8

// visitAll visits every failpoint n times.
func visitAll(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		spots := s.survey(ctx)
		points := slices.Sorted(maps.Keys(spots))
		fmt.Fprintf(s.opts.Out, "%d failpoints\n", len(points))
		rnd := rand.New(rand.NewPCG(s.seed, 0))
		rnd.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		todo := make(chan int)
		var wg sync.WaitGroup
		for range visitors {
			wg.Go(func() {
				for i := range todo {
					for visit := range n {
						s.visit(ctx, points[i], spots[points[i]], actions[(i+visit)%len(actions)], i+visit)
					}
				}
			})
		}
		for i := range points {
			todo <- i
		}
		close(todo)
		wg.Wait()
		if ctx.Err() == nil {
			s.checkVisits(spots, n)
		}
	}
}

// visit makes something happen at a failpoint, and takes a container through it.
func (s *storm) visit(ctx context.Context, point string, at spot, action string, offset int) {
	if strings.HasPrefix(point, "host.store.") && (action == "panic" || action == "error" && !strings.HasPrefix(point, "host.store.open")) {
		action = "kill" // a host without its store says so, and waits for being started again
	}
	// What is passed by chance is looked for in each scene on each target.
	for tries := range max(4, len(at.targets)*len(at.scenes)) {
		sc, t := at.scenes[tries%len(at.scenes)], at.targets[(offset+tries/len(at.scenes))%len(at.targets)] // not all come to each place of the host's
		if sc.daemons && t.daemon == "" {
			continue
		}
		if s.tryVisit(ctx, sc, t, t.runtimes[(offset+tries)%len(t.runtimes)], point, action) {
			s.report.fault(point, strings.Fields(action)[0])
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
	s.logf("failpoint %s was not hit, to %s", point, action)
}

func (s *storm) tryVisit(ctx context.Context, sc scene, t target, runtime, point, action string) bool {
	name := point
	if !strings.HasPrefix(point, "host.") {
		name = t.name + "+" + point
	}
	stop := s.release(ctx, point)
	defer stop()
	s.play(ctx, sc, t, runtime, func() { s.arm(name, action) }, func() {
		for range 150 {
			if s.wasHit(point) || !pause(ctx, 20*time.Millisecond) {
				break
			}
		}
	})
	hit := s.wasHit(point)
	_ = os.Remove(filepath.Join(s.site.failpoints, name))
	return hit
}

// arm makes the processes do something at a failpoint.
func (s *storm) arm(name, action string) {
	f, err := os.CreateTemp(s.site.failpoints, "new*")
	if err == nil {
		_, err = f.WriteString(action)
		err = errors.Join(err, f.Close(), os.Rename(f.Name(), filepath.Join(s.site.failpoints, name)))
	}
	if err != nil {
		s.report.bad(others, "%v", err)
	}
}

func (s *storm) hits(point string) []string {
	found, _ := filepath.Glob(filepath.Join(s.site.failpoints, "hit."+point+".*"))
	return found
}

func (s *storm) wasHit(point string) bool { return len(s.hits(point)) > 0 }

// release forgets earlier hits of a failpoint, and lets processes go on that stop
// there.
func (s *storm) release(ctx context.Context, point string) (stop func()) {
	for _, path := range s.hits(point) {
		_ = os.Remove(path)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for pause(ctx, 20*time.Millisecond) {
			for _, path := range s.hits(point) {
				text, _ := os.ReadFile(path)
				pid, _ := strconv.Atoi(strings.TrimPrefix(filepath.Ext(path), "."))
				if strings.TrimSpace(string(text)) != "stop" || pid == 0 {
					continue
				}
				pause(ctx, 700*time.Millisecond)
				_ = syscall.Kill(pid, syscall.SIGCONT)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}
