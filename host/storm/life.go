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
	"strings"
	"time"
)

// patience is how long davit may take to do what it was asked, with all that is
// killed meanwhile. An executor that fails again and again is tried every 30 s.
const patience = 90 * time.Second

// life is that of one container.
type life struct {
	n       int
	backend backend
	runtime string
	rate    uint64 // lines per second, 0 is full speed
	lines   uint64
	code    int
	dir     string
	id      string
	downs   int    // containerds of the backend killed when it began
	pid     int    // as seen first
	started string // its start time, in ticks
	socket  string // of its shim
	bundle  string // name of its bundle: the id, and a key of the backend's
}

func (l *life) String() string {
	return fmt.Sprintf("container %d (%s on %s/%s, %d lines at %d/s)", l.n, l.id, l.backend.name, l.runtime, l.lines, l.rate)
}

// newLife decides what container n is.
func (s *storm) newLife(n int) *life {
	rnd := rand.New(rand.NewPCG(s.opts.Seed, uint64(n)))
	l := &life{n: n, code: n % 256, dir: filepath.Join(s.site.dir, "w", fmt.Sprint(n))}
	choices := 0
	for _, b := range s.site.backends {
		choices += len(b.runtimes)
	}
	i := n % choices
	for _, b := range s.site.backends {
		if i >= 0 && i < len(b.runtimes) {
			l.backend, l.runtime = b, b.runtimes[i]
		}
		i -= len(b.runtimes)
	}
	seconds := 0.05 + 4*rnd.Float64()*rnd.Float64() // mostly short, so that much happens
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
func (s *storm) live(ctx, weather context.Context, l *life) {
	if err := s.prepare(l); err != nil {
		s.report.violation("%v: %v", l, err)
		return
	}
	l.downs = s.down(l.backend)
	if !s.create(ctx, weather, l) {
		return
	}
	s.mu.Lock()
	s.lives = append(s.lives, l)
	s.mu.Unlock()
	s.report.count(containers, 1)
	s.report.count(perRuntime+l.backend.name+"/"+l.runtime, 1)
	s.awaitEnd(ctx, weather, l)
	if ctx.Err() == nil {
		s.checkEnd(ctx, l)
		s.remove(ctx, weather, l)
	}
}

// prepare makes the files that the workload shares with us.
func (s *storm) prepare(l *life) error {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.dir, "acked"), make([]byte, 16), 0o644)
}

// acked gives the acknowledged writes to stdout and stderr.
func (l *life) acked() (stdout, stderr uint64) {
	b, err := os.ReadFile(filepath.Join(l.dir, "acked"))
	if err != nil || len(b) != 16 {
		return 0, 0
	}
	return binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])
}

// starts gives the start times that the workload noted.
func (l *life) starts() []string {
	b, _ := os.ReadFile(filepath.Join(l.dir, "starts"))
	return strings.Fields(string(b))
}

// request is what POST /v1/containers takes.
func (s *storm) request(l *life) map[string]any {
	return map[string]any{
		"name": fmt.Sprintf("storm-%d", l.n), "request_id": fmt.Sprintf("storm-%d-%d", s.opts.Seed, l.n),
		"backend": l.backend.name, "runtime": l.runtime, "rootfs": s.site.rootfs,
		"process": map[string]any{
			"args": []string{
				"/bin/storm-workload", "--token", l.dir, "--lines", fmt.Sprint(l.lines), "--rate", fmt.Sprint(l.rate), "--code", fmt.Sprint(l.code),
			},
			"read_only": true,
			"mounts":    []any{map[string]any{"destination": "/storm", "type": "bind", "source": l.dir, "options": []string{"rbind", "rprivate"}}},
		},
	}
}

// create asks for the container until there is an answer: the request's id makes
// sure that there is only one. It gives false if there is none.
func (s *storm) create(ctx, weather context.Context, l *life) bool {
	s.weather.enters(weather, phaseCreate, l.backend)
	begin := time.Now()
	defer func() { s.took("create", l, begin) }()
	var v containerView
	err := s.insist(ctx, func() error {
		return s.site.client.call(ctx, "POST", "/containers", s.request(l), &v)
	})
	if err == nil {
		l.id = v.ID
		return true
	}
	s.refusal(ctx, l, err)
	return false
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
	for tries := 0; ; tries++ {
		err := try()
		var status *statusError
		if err == nil || ctx.Err() != nil || time.Since(begin) > patience {
			return err
		}
		if errors.As(err, &status) && status.Code != "unavailable" && status.Code != "outcome_unknown" && status.Code != "deadline_exceeded" {
			return err
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// refusal deals with a create that was refused: it must be containerd's death
// that did it, and nothing may run.
func (s *storm) refusal(ctx context.Context, l *life, reason error) {
	if ctx.Err() != nil {
		return
	}
	var v containerView
	err := s.insist(ctx, func() error {
		return s.site.client.call(ctx, "GET", fmt.Sprintf("/containers/storm-%d", l.n), nil, &v)
	})
	var status *statusError
	switch {
	case errors.As(err, &status) && status.Code == "not_found":
		s.report.violation("%v was refused, without a record: %v", l, reason)
		return
	case err != nil:
		s.report.violation("%v: %v", l, err)
		return
	}
	l.id = v.ID
	if v.State != "failed" {
		s.report.violation("%v was refused (%v), and is %s", l, reason, v.State)
	} else {
		s.failedStart(l, v.Error)
	}
	s.remove(ctx, context.Background(), l)
}

// failedStart judges a container in state failed.
func (s *storm) failedStart(l *life, reason string) {
	if s.down(l.backend) == l.downs {
		s.report.violation("%v could not be started although its containerd was not killed: %s", l, reason)
	} else {
		s.report.count(refused, 1)
		s.logf("%v was refused: %s", l, reason)
	}
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v failed to start, and runs: %v", l, left)
	}
}

// alive gives the workload's processes.
func (s *storm) alive(l *life) []process {
	return processes(func(p process) bool {
		return len(p.args) > 2 && p.args[0] == "/bin/storm-workload" && p.args[2] == l.dir
	})
}

// awaitEnd watches the container until it has ended.
func (s *storm) awaitEnd(ctx, weather context.Context, l *life) {
	ended := make(chan error, 1)
	go func() {
		ended <- s.insist(ctx, func() error {
			return s.site.client.call(ctx, "GET", "/containers/"+l.id+"/wait", nil, nil)
		})
	}()
	s.weather.enters(weather, phaseRunning, l.backend)
	var finished time.Time // when the workload had written its last line
	for {
		select {
		case err := <-ended:
			if finished != (time.Time{}) {
				s.took("end", l, finished)
			}
			if err != nil && ctx.Err() == nil {
				var status *statusError
				if !errors.As(err, &status) || status.Code != "failed_precondition" { // failed: checkEnd says so
					s.report.violation("%v: waiting: %v", l, err)
				}
			}
			return
		case <-time.After(30 * time.Millisecond):
		}
		if out, _ := l.acked(); out == l.lines && finished.IsZero() {
			finished = time.Now()
			s.weather.enters(weather, phaseExiting, l.backend)
		}
		var v containerView
		if s.site.client.call(ctx, "GET", "/containers/"+l.id, nil, &v) == nil && v.PID != 0 {
			s.checkProcess(l, v.PID)
		}
		s.noteSocket(l)
	}
}

var socketPath = regexp.MustCompile(`unix://(/[^"\s]+)`)

// noteSocket notes the socket of the shim, which is not in the site's directory,
// and the key by which the backend's cgroup can be told.
func (s *storm) noteSocket(l *life) {
	if l.socket != "" {
		return
	}
	for _, name := range []string{"address", "bootstrap.json"} {
		found, _ := filepath.Glob(filepath.Join(s.site.containerdDir(l.backend), "io.containerd.*/davit", l.id+"*", name))
		for _, path := range found {
			text, _ := os.ReadFile(path)
			if m := socketPath.FindSubmatch(text); m != nil {
				l.socket, l.bundle = string(m[1]), filepath.Base(filepath.Dir(path))
				return
			}
		}
	}
}

// checkProcess looks at the process that the container is said to be.
func (s *storm) checkProcess(l *life, pid int) {
	started := startTime(pid)
	switch {
	case l.pid == 0:
		l.pid, l.started = pid, started
	case l.pid != pid:
		s.report.violation("%v: its process was %d and is %d", l, l.pid, pid)
	case started != "" && l.started != "" && l.started != started:
		s.report.violation("%v: process %d started at %s and now at %s", l, pid, l.started, started)
	}
}

// remove removes the container until the host knows it no more.
func (s *storm) remove(ctx, weather context.Context, l *life) {
	s.weather.enters(weather, phaseDeleting, l.backend)
	begin := time.Now()
	defer func() { s.took("removal", l, begin) }()
	err := s.insist(ctx, func() error {
		return s.site.client.call(ctx, "DELETE", "/containers/"+l.id+"?force=true", nil, nil)
	})
	var status *statusError
	if err != nil && ctx.Err() == nil && !(errors.As(err, &status) && status.Code == "not_found") { // the first answer was cut off
		s.report.violation("%v cannot be removed: %v", l, err)
		return
	}
	if s.report.failed() == 0 {
		_ = os.RemoveAll(l.dir)
	}
}
