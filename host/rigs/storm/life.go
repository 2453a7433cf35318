package storm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// patience is how long davit may take to do what it was asked, with all that is
// killed meanwhile. An executor that fails again and again is tried every 30 s.
const patience = 5 * time.Minute

// style is what is special about a container.
type style int

const (
	ordinary style = iota
	// steered: it runs until its file "stop" appears.
	steered
	// killed: it runs until it is killed over the API.
	killed
	// absent: its program does not exist, so it cannot start.
	absent
)

// life is that of one container.
type life struct {
	n       int
	target  target
	runtime string
	style   style
	rate    uint64 // lines per second, 0 is full speed
	lines   uint64
	code    int
	dir     string
	id      string
	phase   atomic.Pointer[string]
	asked   time.Time // when it was asked for
	downs   int       // containerds of the target killed when it began
	pid     int       // as seen first
	started string    // its start time, in ticks
	socket  string    // of its shim
	bundle  string    // name of its bundle: the id, and a key of the backend's
	gone    bool      // removed as asked
	net     *onNetwork
	checked bool // it has a health check
	health  string
	changes int // of its health
}

func (l *life) String() string {
	return fmt.Sprintf("container %d (%s on %s/%s, %d lines at %d/s)", l.n, l.id, l.target.name, l.runtime, l.lines, l.rate)
}

// newLife decides what container n is.
func (s *storm) newLife(n int) *life {
	var choices []*life
	for _, t := range s.site.targets {
		for _, runtime := range t.runtimes {
			choices = append(choices, &life{target: t, runtime: runtime})
		}
	}
	l := choices[n%len(choices)]
	rnd := rand.New(rand.NewPCG(s.seed, uint64(n)))
	l.n, l.code, l.dir = n, n%256, filepath.Join(s.site.dir, "w", fmt.Sprint(n))
	seconds := 0.05 + 3*rnd.Float64()*rnd.Float64() // mostly short, so that much happens
	switch rnd.IntN(3) {
	case 0:
		l.lines = uint64(20_000 * seconds) // in less time than that
	case 1:
		l.rate, l.lines = 20_000, uint64(20_000*seconds)
	default:
		l.rate, l.lines = 1000, uint64(1000*seconds)
	}
	return l
}

// live takes a container from its creation to its removal, and checks it.
func (s *storm) live(ctx context.Context, w *weather, l *life) {
	if s.begin(ctx, w, l) {
		s.end(ctx, w, l)
	}
}

// begin creates a container; false says that there is none.
func (s *storm) begin(ctx context.Context, w *weather, l *life) bool {
	if err := s.prepare(l); err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return false
	}
	l.downs = s.down(l.target)
	if !s.create(ctx, w, l) {
		return false
	}
	s.known(l)
	if l.net != nil {
		s.checkAddress(ctx, l)
	}
	s.report.count(containers, 1)
	s.report.count(perRuntime+l.target.name+"/"+l.runtime, 1)
	return true
}

// end waits for the end of a container, checks it and removes it.
func (s *storm) end(ctx context.Context, w *weather, l *life) {
	s.awaitEnd(ctx, w, l)
	if ctx.Err() != nil {
		return
	}
	w.enters(ctx, l, phaseIdle)
	s.checkEnd(ctx, l)
	if w != nil {
		pause(ctx, time.Duration(l.n%10)*10*time.Millisecond) // some are kept for a while
	}
	s.remove(ctx, w, l)
}

// known notes a container that has an id.
func (s *storm) known(l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives = append(s.lives, l)
}

// prepare makes the files that the workload shares with us.
func (s *storm) prepare(l *life) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, "acked"), make([]byte, 16), 0o644)
}

// acked returns the acknowledged writes to stdout and stderr.
func (l *life) acked() (stdout, stderr uint64) {
	b, err := os.ReadFile(filepath.Join(l.dir, "acked"))
	if err != nil || len(b) != 16 {
		return 0, 0
	}
	return binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])
}

// finished reports whether the workload has written its last line.
func (l *life) finished() bool {
	switch out, _ := l.acked(); l.style {
	case ordinary:
		return out == l.lines
	case steered, killed:
		_, err := os.Stat(filepath.Join(l.dir, "stop"))
		return err == nil
	}
	return false
}

// stop makes a steered container end.
func (l *life) stop() error { return os.WriteFile(filepath.Join(l.dir, "stop"), nil, 0o644) }

// starts returns the start times that the workload noted.
func (l *life) starts() []string {
	b, _ := os.ReadFile(filepath.Join(l.dir, "starts"))
	return strings.Fields(string(b))
}

// phaseOf says in which phase a container is now.
func (s *storm) phaseOf(ctx context.Context, l *life) string {
	phase := *l.phase.Load()
	if phase != phaseCreating {
		return phase
	}
	if len(l.starts()) > 0 {
		return phaseRunning
	}
	var v containerView
	if s.site.client.call(ctx, "GET", "/containers/"+l.name(), nil, &v) != nil {
		return phaseCreating
	}
	for _, pattern := range l.target.bundles {
		found, _ := filepath.Glob(filepath.Join(s.site.dir, strings.ReplaceAll(pattern, "{id}", v.ID)))
		if len(found) > 0 {
			return phaseStarting
		}
	}
	return phaseCreating
}

// took notes how long something took, and says so if it is long.
func (s *storm) took(what string, l *life, begin time.Time) {
	d := time.Since(begin)
	s.report.took(what, d)
	if d > 5*time.Second {
		s.logf("%s of %v took %s", what, l, d.Round(time.Millisecond))
	}
}

// insist repeats a request for as long as nobody answers, or the answer is that
// what it needs is not available now.
func (s *storm) insist(ctx context.Context, try func() error) error {
	begin := time.Now()
	for {
		err := try()
		var status *statusError
		if err == nil || ctx.Err() != nil || time.Since(begin) > patience {
			return err
		}
		again := []string{"unavailable", "outcome_unknown", "deadline_exceeded"}
		if s.lenient {
			again = append(again, "internal")
		}
		if errors.As(err, &status) && !slices.Contains(again, status.Code) {
			return err
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// alive returns the workload's processes.
func (s *storm) alive(l *life) []process {
	monitored := s.site.isShim(l.id)
	return processes(func(p process) bool {
		return len(p.args) > 2 && filepath.Base(p.args[0]) == workload && p.args[2] == l.dir || l.target.inline && monitored(p)
	})
}

// awaitEnd watches the container until it has ended.
func (s *storm) awaitEnd(ctx context.Context, w *weather, l *life) {
	ended := make(chan error, 1)
	go func() {
		ended <- s.insist(ctx, func() error {
			return s.site.client.call(ctx, "GET", "/containers/"+l.id+"/wait", nil, nil)
		})
	}()
	w.enters(ctx, l, phaseRunning)
	var finished time.Time // when the workload had written its last line
	for ticks := 0; ; ticks++ {
		select {
		case err := <-ended:
			if !finished.IsZero() {
				s.took("end", l, finished)
			}
			if err != nil && ctx.Err() == nil {
				var status *statusError
				if !errors.As(err, &status) || status.Code != "failed_precondition" { // failed: checkEnd says so
					s.report.bad(wrongExits, "%v: waiting: %v", l, err)
				}
			}
			return
		case <-time.After(15 * time.Millisecond):
		}
		if finished.IsZero() && l.finished() {
			finished = time.Now()
			w.enters(ctx, l, phaseExiting)
		}
		if ticks%8 == 0 {
			var v containerView
			if s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v) == nil && v.PID != 0 {
				s.checkProcess(l, v.PID)
			}
			s.noteSocket(l)
		}
	}
}

var socketPath = regexp.MustCompile(`unix://(/[^"\s]+)`)

// noteSocket notes the socket of the shim, which may be elsewhere than in the
// storm's directory, and the key by which the cgroup of the backend is recognized.
func (s *storm) noteSocket(l *life) {
	if l.socket != "" {
		return
	}
	for _, pattern := range l.target.contacts {
		found, _ := filepath.Glob(filepath.Join(s.site.dir, strings.ReplaceAll(pattern, "{id}", l.id)))
		for _, path := range found {
			text, _ := os.ReadFile(path)
			if m := socketPath.FindSubmatch(text); m != nil {
				l.socket, l.bundle = string(m[1]), filepath.Base(filepath.Dir(path))
				return
			}
		}
	}
}

// remove removes the container until the host knows it no more.
func (s *storm) remove(ctx context.Context, w *weather, l *life) {
	w.enters(ctx, l, phaseDeleting)
	if l.net != nil {
		s.leave(l)
	}
	begin := time.Now()
	defer func() { s.took("removal", l, begin) }()
	if err := s.delete(ctx, l.id); err != nil {
		s.report.bad(leftovers, "%v cannot be removed: %v", l, err)
		return
	}
	l.gone = true
	if s.report.failed() == 0 {
		_ = os.RemoveAll(l.dir)
	}
}

// delete removes a container by force. It is no error if there is none: an answer may have
// been cut off.
func (s *storm) delete(ctx context.Context, reference string) error {
	err := s.insist(ctx, func() error {
		return s.site.client.call(ctx, "DELETE", "/containers/"+reference+"?force=true", nil, nil)
	})
	var status *statusError
	if ctx.Err() != nil || errors.As(err, &status) && status.Code == "not_found" {
		return nil
	}
	return err
}
