package storm

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// checkPanics wants no panic in the logs of the host, which has those of the
// executors too. Where panics are ordered, others are looked for.
func (s *storm) checkPanics() {
	text, _ := os.ReadFile(s.site.log())
	for l := range bytes.Lines(text) {
		if (bytes.HasPrefix(l, []byte("panic: ")) || bytes.HasPrefix(l, []byte("fatal error: ")) || bytes.Contains(l, []byte("panic in handler"))) && !bytes.Contains(l, []byte("failpoint")) {
			s.report.bad(panics, "%s", bytes.TrimSpace(l))
		}
	}
}

// checkLeaks runs two crowds in calm weather. The second must not leave the host
// and the executors with more descriptors, threads or goroutines than the first.
func (s *storm) checkLeaks(ctx context.Context) {
	crowd := 8 * len(s.site.targets)
	s.calmCrowd(ctx, crowd)
	before := s.waitForUsage(ctx, nil)
	s.calmCrowd(ctx, crowd)
	after := s.waitForUsage(ctx, before)
	for _, u := range after {
		at := slices.IndexFunc(before, func(b usage) bool { return b.pid == u.pid })
		if at < 0 {
			s.report.bad(others, "%s was started anew in calm weather", u.name)
			continue
		}
		for i, what := range resources {
			if grew := u.of[i] - before[at].of[i]; grew > leakSlack[i] {
				s.report.bad(leaks, "%s has %d more %s after %d more containers, 8 on each backend: %d, then %d", u.name, grew, what, crowd, before[at].of[i], u.of[i])
			}
		}
	}
}

// calmCrowd runs n containers, some at a time.
func (s *storm) calmCrowd(ctx context.Context, n int) {
	if err := s.site.waitReady(ctx); err != nil {
		s.report.bad(others, "%v", err)
	}
	per := make([][]*life, len(s.site.targets))
	for range n {
		l := s.next()
		l.rate, l.lines = 1000, 20
		i := l.n % len(per)
		l.target = s.site.targets[i]
		l.runtime = l.target.runtimes[l.n/len(per)%len(l.target.runtimes)]
		per[i] = append(per[i], l)
	}
	var wg sync.WaitGroup
	for _, lives := range per {
		for half := range slices.Chunk(lives, 4) {
			wg.Go(func() {
				for _, l := range half {
					s.live(ctx, nil, l)
				}
			})
		}
	}
	wg.Wait()
}

// usage is what a process holds.
type usage struct {
	name string
	pid  int
	of   [3]int
}

var (
	resources = [3]string{"descriptors", "threads", "goroutines"}
	// leakSlack is how much more of each is none. The runtime keeps threads.
	leakSlack = [3]int{4, 12, 5}
)

// waitForUsage waits until the processes hold no more than before, or for a while.
func (s *storm) waitForUsage(ctx context.Context, before []usage) (now []usage) {
	for tries := range 30 {
		now = s.usages(ctx)
		calm := tries > 3
		for i := range now {
			for k := range resources {
				if i < len(before) && now[i].of[k] > before[i].of[k]+leakSlack[k] {
					calm = false
				}
			}
		}
		if calm || !pause(ctx, 100*time.Millisecond) {
			break
		}
	}
	return now
}

func (s *storm) usages(ctx context.Context) []usage {
	s.site.mu.Lock()
	host := s.site.host.Process.Pid
	s.site.mu.Unlock()
	all := []usage{{name: "the host", pid: host}}
	for _, t := range s.site.targets {
		if p, ok := only(s.site.isExecutor(t)); ok {
			all = append(all, usage{name: "the executor of " + t.name, pid: p.pid})
		}
	}
	for i := range all {
		u := &all[i]
		for k, dir := range []string{"fd", "task"} {
			entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/%s", u.pid, dir))
			u.of[k] = len(entries)
		}
		if s.site.failpoints != "" {
			u.of[2] = s.goroutines(ctx, u.pid)
		}
	}
	return all
}

// goroutines asks a process that was built with failpoints.
func (s *storm) goroutines(ctx context.Context, pid int) int {
	path := filepath.Join(s.site.failpoints, fmt.Sprintf("goroutines.%d", pid))
	_ = os.Remove(path)
	if syscall.Kill(pid, syscall.SIGUSR2) != nil {
		return 0
	}
	for range 200 {
		if text, err := os.ReadFile(path); err == nil {
			n, _ := strconv.Atoi(string(bytes.TrimSpace(text)))
			return n
		}
		pause(ctx, 5*time.Millisecond)
	}
	return 0
}
