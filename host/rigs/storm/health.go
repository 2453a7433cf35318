package storm

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// probeInterval is the time between two probes, and calmTime how long a status is watched
	// after a fault: for some probes.
	probeInterval = 300 * time.Millisecond
	calmTime      = 1500 * time.Millisecond
)

// healthView is what is looked at of a container with a health check.
type healthView struct {
	State  string
	Health *struct{ Status string }
}

// checkHealths has a container on each target checked, and makes each fault n times while it is
// healthy and while it is not.
func checkHealths(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		var lives []*life
		for _, t := range s.site.targets {
			l := s.next()
			l.target, l.runtime, l.style, l.rate, l.lines, l.checked = t, t.runtimes[0], steered, 20, 0, true
			if s.begin(ctx, nil, l) {
				lives = append(lives, l)
				s.awaitHealth(ctx, l, "healthy")
			}
		}
		rnd := rand.New(rand.NewPCG(s.seed, 0))
		for range n {
			for _, l := range lives { // the host is that of all
				for _, status := range []string{"healthy", "unhealthy"} {
					s.turn(l, status)
					s.awaitHealth(ctx, l, status)
					for _, kind := range []string{killsHost, killsExecutor, killsHostExec, killsContainerd} {
						if kind == killsContainerd && l.target.daemon == "" || ctx.Err() != nil || !s.ready(ctx, l.target) {
							continue
						}
						pause(ctx, upTo(rnd, probeInterval))
						if s.strike(ctx, kind, l.target, rnd) {
							s.report.fault(kind, status)
							s.logf("%s while %v is %s", kind, l, status)
							s.staysHealthy(ctx, l, status)
						}
					}
				}
				s.turn(l, "healthy")
				s.awaitHealth(ctx, l, "healthy")
			}
		}
		var wg sync.WaitGroup
		for _, l := range lives {
			wg.Go(func() { s.endChecked(ctx, l) })
		}
		wg.Wait()
	}
}

// turn makes the probes of a container succeed or fail from now on.
func (s *storm) turn(l *life, status string) {
	path := filepath.Join(l.dir, "sick")
	var err error
	if status == "unhealthy" {
		err = os.WriteFile(path, nil, 0o644)
	} else if err = os.Remove(path); os.IsNotExist(err) {
		err = nil
	}
	if err != nil {
		s.report.bad(others, "%v", err)
	}
}

// health returns the status of a container, "" if nobody says it now.
func (s *storm) health(ctx context.Context, l *life) string {
	var v healthView
	if s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v) != nil || v.State != "running" || v.Health == nil {
		return "" // a state that nobody looks at is unknown
	}
	return v.Health.Status
}

// awaitHealth wants a container to get a status.
func (s *storm) awaitHealth(ctx context.Context, l *life, want string) {
	begin := time.Now()
	got := ""
	for ; time.Since(begin) < patience; pause(ctx, 20*time.Millisecond) {
		if got = s.health(ctx, l); got == want || ctx.Err() != nil {
			if l.health != want {
				l.health = want
				l.changes++
			}
			s.report.took("way to "+want, time.Since(begin))
			return
		}
	}
	s.report.bad(wrongHealth, "%v is %q for %s, want %s", l, got, patience, want)
}

// staysHealthy wants a container to keep its status when something was killed.
func (s *storm) staysHealthy(ctx context.Context, l *life, want string) {
	for begin := time.Now(); time.Since(begin) < calmTime && ctx.Err() == nil; pause(ctx, 20*time.Millisecond) {
		if got := s.health(ctx, l); got != "" && got != want {
			s.report.bad(wrongHealth, "%v was %s, and is %s since something was killed", l, want, got)
			return
		}
	}
	s.awaitHealth(ctx, l, want)
}

// endChecked ends a container with a health check. Nothing checks it any more.
func (s *storm) endChecked(ctx context.Context, l *life) {
	before := probesOf(l)
	begin := time.Now()
	for now := before; now == before && pause(ctx, 20*time.Millisecond); now = probesOf(l) {
		if time.Since(begin) > patience {
			s.report.bad(wrongHealth, "%v is not checked any more, and runs", l)
			break
		}
	}
	if err := l.stop(); err != nil {
		s.report.bad(others, "%v", err)
	}
	s.awaitEnd(ctx, nil, l)
	ended := probesOf(l)
	s.report.count("probes of health checks", ended)
	if pause(ctx, 5*probeInterval); probesOf(l) != ended {
		s.report.bad(wrongHealth, "%v has ended, and is checked", l)
	}
	s.end(ctx, nil, l)
}

// probesOf counts the probes of a container.
func probesOf(l *life) int {
	text, _ := os.ReadFile(filepath.Join(l.dir, "probes"))
	return bytes.Count(text, []byte{'\n'})
}
