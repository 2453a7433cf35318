package storm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The phases of a stream in which faults are made.
const (
	phaseBegun   = "begun"   // davit was just started
	phaseFlowing = "flowing" // half of the input has come back
	phaseClosed  = "closed"  // all of the input is given, and its end
)

// flow is a command that copies its input to its output, at the end of a stream.
type flow struct {
	storm  *storm
	life   *life  // in whose container it runs, or whose it is
	own    bool   // it is the container's first process
	name   string // of it, and of the file in which it notes its start
	code   int
	input  []byte
	struck string // what was done to it
}

func (f *flow) String() string {
	what := "an exec in"
	if f.own {
		what = "the input of"
	}
	return fmt.Sprintf("%s %v, with %s", what, f.life, f.struck)
}

// passStreams passes inputs through commands in containers, and through containers, n
// times with each fault in each phase.
func passStreams(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		for _, t := range s.site.targets {
			rnd := rand.New(rand.NewPCG(s.seed, 0))
			for _, runtime := range t.runtimes {
				l := s.next()
				l.target, l.runtime, l.style, l.rate, l.lines = t, runtime, steered, 1000, 0
				if !s.begin(ctx, nil, l) {
					continue
				}
				for range n {
					s.passAll(ctx, l, rnd)
				}
				_ = l.stop()
				s.end(ctx, nil, l)
			}
		}
	}
}

// passAll makes each fault once in each phase of a stream, and none at all.
func (s *storm) passAll(ctx context.Context, l *life, rnd *rand.Rand) {
	s.pass(ctx, l, "", "", false, rnd)
	for _, kind := range []string{killsHost, killsExecutor, killsHostExec, killsContainerd} {
		if kind == killsContainerd && l.target.daemon == "" {
			continue
		}
		for _, phase := range []string{phaseBegun, phaseFlowing, phaseClosed} {
			// Which it is, changes from round to round.
			s.pass(ctx, l, kind, phase, rnd.IntN(4) == 0, rnd)
		}
	}
}

// pass passes an input through a command, with a fault in a phase. The whole of it comes
// back, with the command's code, or davit says that it does not.
func (s *storm) pass(ctx context.Context, l *life, kind, phase string, own bool, rnd *rand.Rand) {
	if !s.ready(ctx, l.target) { // after what was done to it before
		return
	}
	n := s.numbers.Add(1)
	f := &flow{storm: s, life: l, own: own, name: fmt.Sprintf("echo-%d", n), code: int(n % 100), struck: "no fault"}
	if kind != "" {
		f.struck = kind + ", " + phase
	}
	f.input = make([]byte, 1<<20+rnd.IntN(4<<20))
	for i := range f.input {
		f.input[i] = byte(rnd.Uint32())
	}
	strike := func(now string) {
		if kind == "" || now != phase {
			return
		}
		pause(ctx, upTo(rnd, 40*time.Millisecond))
		for begin := time.Now(); !s.strike(ctx, kind, l.target, rnd); { // it is still down from the fault before
			if time.Since(begin) > patience || !pause(ctx, 10*time.Millisecond) {
				s.report.bad(tooFew, "%v did not come", f)
				return
			}
		}
		s.report.fault(kind, phase)
		s.logf("%v", f)
	}
	output, said, code := f.run(ctx, strike)
	if ctx.Err() == nil {
		f.judge(ctx, output, said, code, kind)
	}
}

// ready waits until a backend is ready.
func (s *storm) ready(ctx context.Context, t target) bool {
	for begin := time.Now(); time.Since(begin) < patience; {
		if s.backend(ctx, t).State == "ready" {
			return true
		}
		if !pause(ctx, 20*time.Millisecond) {
			return false
		}
	}
	s.report.bad(others, "backend %s does not get ready", t.name)
	return false
}

// command returns davit's command line.
func (f *flow) command() []string {
	l, s := f.life, f.storm
	program := s.program(l, "--echo", f.name, "--code", fmt.Sprint(f.code))
	if !f.own {
		return append([]string{"exec", "-i", l.id}, program...)
	}
	args := []string{"run", "-i", "--name", f.name, "--backend", l.target.name, "--rootfs", s.site.rootfs}
	if l.runtime != "" {
		args = append(args, "--runtime", l.runtime)
	}
	if !l.target.direct {
		args = append(args, "-v", l.dir+":/storm")
	}
	return append(args, program...)
}

// run runs davit with the input, and reports each phase as it comes.
func (f *flow) run(ctx context.Context, enters func(phase string)) (output []byte, said string, code int) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := f.storm.site.client.command(ctx, f.command()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err.Error(), -1
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err.Error(), -1
	}
	if err := cmd.Start(); err != nil {
		return nil, err.Error(), -1
	}
	enters(phaseBegun)
	half := len(f.input) / 2
	back := make(chan []byte)
	flowing := make(chan struct{})
	go func() { // ends with the output
		first := make([]byte, half)
		n, err := io.ReadFull(stdout, first)
		close(flowing)
		rest := []byte(nil)
		if err == nil {
			rest, _ = io.ReadAll(stdout)
		}
		back <- append(first[:n], rest...)
	}()
	if _, err := stdin.Write(f.input[:half]); err == nil { // if it has ended, that is judged
		<-flowing
		enters(phaseFlowing)
		_, _ = stdin.Write(f.input[half:])
	}
	_ = stdin.Close()
	enters(phaseClosed)
	output = <-back
	_ = cmd.Wait()
	return output, stderr.String(), cmd.ProcessState.ExitCode()
}

// judge wants the whole input back and the command's code, or an error. Without a fault there
// is no reason for one.
func (f *flow) judge(ctx context.Context, output []byte, said string, code int, kind string) {
	r := f.storm.report
	whole := code == f.code && sha256.Sum256(output) == sha256.Sum256(f.input)
	honest := code == 125 && strings.Contains(said, "davit: ") && len(output) <= len(f.input) && bytes.Equal(output, f.input[:len(output)])
	switch {
	case whole:
		r.count("streams that came back whole", 1)
	case !honest || kind == "":
		r.bad(lost, "%v: got %d of %d bytes, code %d, want code %d: %s", f, len(output), len(f.input), code, f.code, said)
	default:
		r.count("streams that davit said were cut", 1)
		f.storm.logf("%v: cut after %d of %d bytes: %s", f, len(output), len(f.input), said)
	}
	if starts, err := os.ReadFile(filepath.Join(f.life.dir, f.name)); err == nil && bytes.Count(starts, []byte{'\n'}) != 1 || err != nil && whole {
		r.bad(secondStarts, "%v: the command noted %q, %v", f, starts, err)
	}
	if f.own {
		if err := f.storm.delete(ctx, f.name); err != nil {
			r.bad(leftovers, "%v cannot be removed: %v", f, err)
		}
	}
}
