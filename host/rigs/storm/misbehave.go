package storm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/davit-run/davit/shared/transport"
)

// misbehaving returns the targets with runtimes, more of one that needs no daemon, and one that is
// only asked whether it still answers.
func (opts Options) misbehaving() []target {
	all := opts.linux()
	cheap := all[slices.IndexFunc(all, func(t target) bool { return t.executor == "shim" })]
	for i := range 5 {
		all = append(all, opts.shimTarget(fmt.Sprintf("%s%d", cheap.name, i+2)))
	}
	all = append(all, opts.shimTarget(bystander))
	for i := range all {
		all[i].more += "  start_timeout = \"30s\"\n" // or a start that hangs takes minutes
	}
	return all
}

// bystander is the target on which others must have no effect.
const bystander = "bystander"

// unasked are the methods of the protocol that no scene leads to: those that the host
// serves; close, which takes another config; what a user does with the strays of a host
// that has lost its state (row lost makes some, which their copies bring back); what
// attached clients ask for; and what containers from images of a backend need.
var unasked = []string{"exited", "released", "close", "stray-adopt", "stray-remove", "close-input", "resize", "image-list", "image", "root-prepare", "root-remove", "root-list"}

// calls names what an executor is asked.
func calls() (names []string) {
	for _, method := range transport.Methods() {
		if !slices.Contains(unasked, method.Name) {
			names = append(names, method.Name)
		}
	}
	return names
}

// lies are replies that are wrong: not JSON, of another type, empty, and about
// something else.
var lies = []string{
	"\x00\xff garbage", "null", "{}", `["what", {"is": "this"}]`,
	`{"ref": {"id": "0123456789abcdef", "attempt": 7}, "state": "released", "exit": {"code": 77, "source": "observed"}, "output": "complete"}`,
}

// misbehave makes each call n times hang, stop, take long and lie, while the
// bystander is asked.
func misbehave(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		asking, enough := context.WithCancel(ctx)
		var asked, wg sync.WaitGroup
		asked.Go(func() { s.ask(asking) })
		type job struct{ call, action string }
		todo := make(chan job)
		for _, t := range s.site.targets {
			if t.name == bystander {
				continue
			}
			wg.Go(func() {
				for j := range todo {
					s.misbehaveOnce(ctx, t, j.call, j.action)
				}
			})
		}
		for i := range n {
			for _, call := range calls() {
				for _, action := range []string{"hang", "stop", "sleep 3s", "lie " + lies[i%len(lies)]} {
					todo <- job{call, action}
				}
			}
		}
		close(todo)
		wg.Wait()
		enough()
		asked.Wait()
	}
}

// misbehaveOnce takes a container on t through a call that does not go well.
func (s *storm) misbehaveOnce(ctx context.Context, t target, call, action string) {
	for range 4 {
		l := s.next()
		l.target, l.runtime, l.style, l.rate, l.lines = t, t.runtimes[l.n%len(t.runtimes)], steered, 1000, 0
		name := t.name + "+kit.call." + call
		restart := slices.Contains([]string{"hello", "validate", "open", "list", "restore"}, call)
		if call == "create" || call == "runtime-resolve" {
			s.arm(name, action)
		}
		if !s.begin(ctx, nil, l) {
			if s.disarm(name) {
				continue
			}
			s.report.fault(call, strings.Fields(action)[0])
			return
		}
		if call == "signal" {
			l.style = killed
		}
		if call != "create" && call != "runtime-resolve" {
			s.arm(name, action)
		}
		if restart {
			for tries := 0; !s.killExecutor(t) && tries < 100; tries++ {
				pause(ctx, 20*time.Millisecond)
			}
			pause(ctx, 500*time.Millisecond)
		}
		switch call {
		case "signal":
			s.killByAPI(ctx, l)
		case "pause", "resume":
			s.pauseByAPI(ctx, l)
		case "update":
			s.updateByAPI(ctx, l)
		case "stats":
			s.measureByAPI(ctx, l)
		case "check", "runtime-list":
			s.lookAt(ctx, t)
		}
		_ = l.stop()
		s.end(ctx, nil, l)
		if call == "open" {
			s.endSession(ctx, t)
		}
		if !s.disarm(name) {
			s.report.fault(call, strings.Fields(action)[0])
			return
		}
	}
	s.report.bad(tooFew, "%s on %s: the call did not come to %s", call, t.name, action)
}

// endSession ends a session in which the host believes a lie about what the backend can
// do: there are no runtimes then.
func (s *storm) endSession(ctx context.Context, t target) {
	for range 20 {
		var runtimes []any
		err := s.site.client.call(ctx, "GET", "/backends/"+t.name+"/runtimes", nil, &runtimes)
		if err == nil && len(runtimes) > 0 {
			return
		}
		s.killExecutor(t)
		pause(ctx, time.Second)
	}
}

// disarm takes an order back, and reports whether it was still there.
func (s *storm) disarm(name string) bool {
	return os.Remove(filepath.Join(s.site.failpoints, name)) == nil
}

// ask asks the bystander again and again, and notes how long its answers take.
func (s *storm) ask(ctx context.Context) {
	within, all := 0, 0
	for pause(ctx, 50*time.Millisecond) {
		begin := time.Now()
		err := s.site.client.call(ctx, "GET", "/backends/"+bystander+"/runtimes", nil, nil)
		took := time.Since(begin)
		if ctx.Err() != nil {
			break
		}
		all++
		if took <= 100*time.Millisecond {
			within++
		}
		s.report.took("answer of another backend", took)
		if err != nil || took > 2*time.Second {
			s.report.bad(others, "another backend answered after %s: %v", took, err)
		}
	}
	s.report.count("answers of another backend meanwhile", all)
	s.report.count("answers of another backend within 100 ms", within)
}
