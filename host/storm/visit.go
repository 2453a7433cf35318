package storm

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
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

var failpointName = regexp.MustCompile(`failpoint\.Hit\("([a-z.]+)"\)`)

// failpoints finds all failpoints in davit's sources. Those of executors that are
// not stormed are left out.
func failpoints(module string, targets []target) ([]string, error) {
	parts := []string{"host", "kit"}
	for _, t := range targets {
		parts = append(parts, t.executor)
	}
	found := map[string]bool{}
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != module {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/failpoint/") {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range failpointName.FindAllSubmatch(text, -1) {
			if part, _, _ := strings.Cut(string(m[1]), "."); slices.Contains(parts, part) {
				found[string(m[1])] = true
			}
		}
		return err
	})
	var names []string
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, err
}

// visitAll visits every failpoint n times.
func visitAll(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		points, err := failpoints(s.opts.Module, s.site.targets)
		if err != nil || len(points) == 0 {
			s.report.bad(others, "no failpoints: %v", err)
			return
		}
		fmt.Fprintf(s.opts.Out, "%d failpoints\n", len(points))
		rnd := rand.New(rand.NewPCG(s.seed, 0))
		rnd.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		todo := make(chan int)
		var wg sync.WaitGroup
		for range visitors {
			wg.Go(func() {
				for i := range todo {
					for visit := range n {
						s.visit(ctx, points[i], actions[(i+visit)%len(actions)], i+visit)
					}
				}
			})
		}
		for i := range points {
			todo <- i
		}
		close(todo)
		wg.Wait()
	}
}

// visit makes something happen at a failpoint, and takes a container through it.
func (s *storm) visit(ctx context.Context, point, action string, turn int) {
	var suitable []target
	part, _, _ := strings.Cut(point, ".")
	if strings.HasPrefix(point, "host.store.") && action == "panic" {
		action = "kill" // a host without its store says so, and waits for being started again
	}
	for _, t := range s.site.targets {
		if part == t.executor || part == "host" || part == "kit" {
			suitable = append(suitable, t)
		}
	}
	t := suitable[turn%len(suitable)]
	for tries := range 4 {
		if s.tryVisit(ctx, t, t.runtimes[(turn+tries)%len(t.runtimes)], point, action) {
			s.report.fault(point, strings.Fields(action)[0])
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
	s.report.bad(tooFew, "failpoint %s was not hit on %s", point, t.name)
}

func (s *storm) tryVisit(ctx context.Context, t target, runtime, point, action string) bool {
	l := s.next()
	l.target, l.runtime = t, runtime
	l.rate, l.lines = 1000, 100
	kick := func() bool { return true }
	switch {
	case strings.HasPrefix(point, "host.fail.") || strings.Contains(point, ".undo."):
		l.style = absent
	case strings.HasPrefix(point, "kit.signal."):
		l.style = killed
		kick = func() bool {
			for out, _ := l.acked(); out == 0 && pause(ctx, 10*time.Millisecond); out, _ = l.acked() {
			}
			err := s.insist(ctx, func() error {
				return s.site.client.call(ctx, "POST", "/containers/"+l.id+"/kill", map[string]any{}, nil)
			})
			return err == nil && l.stop() == nil
		}
	case strings.HasPrefix(point, "host.open."):
		kick = s.site.killHost
	case strings.Contains(point, ".private."):
		kick = func() bool { return s.killContainerd(t) }
	case point == "host.reconcile.missing":
		s.arm("host.create.recorded", "kill")
	case restarts.MatchString(point):
		kick = func() bool { return s.killExecutor(t) }
	}
	name := point
	if !strings.HasPrefix(point, "host.") {
		name = t.name + "+" + point
	}
	stop := s.release(ctx, point)
	defer stop()
	if kicked := restarts.MatchString(point) || strings.HasPrefix(point, "kit.signal."); kicked && l.style != absent {
		if l.style == ordinary {
			l.style, l.lines = steered, 0
		}
		if !s.begin(ctx, nil, l) {
			return false
		}
		s.arm(name, action)
		for tries := 0; !kick() && tries < 100; tries++ {
			pause(ctx, 20*time.Millisecond)
		}
		for range 150 {
			if s.wasHit(point) || !pause(ctx, 20*time.Millisecond) {
				break
			}
		}
		_ = l.stop()
		s.end(ctx, nil, l)
	} else {
		s.arm(name, action)
		s.live(ctx, nil, l)
	}
	hit := s.wasHit(point)
	_ = os.Remove(filepath.Join(s.site.failpoints, name))
	return hit
}

// restarts matches the failpoints that are come to when something starts anew.
var restarts = regexp.MustCompile(`^host\.(open|launch|attach|reconcile\.(listed|found|restored))|^kit\.(open|list|restore)|\.adopt\.|\.private\.`)

// arm tells the processes what to do at a failpoint.
func (s *storm) arm(name, action string) {
	path := filepath.Join(s.site.failpoints, name)
	err := os.WriteFile(path+"~", []byte(action), 0o600)
	if err == nil {
		err = os.Rename(path+"~", path)
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
