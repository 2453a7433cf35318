package storm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/davit-run/davit/host/rigs/storm/internal/line"
	"golang.org/x/sys/unix"
)

// terminalLines is how many lines come out of a terminal, and terminalRate how many a second.
const (
	terminalLines = 400
	terminalRate  = 1000
)

// A session is a container with a terminal, and davit at another one that shows it.
type session struct {
	storm    *storm
	life     *life
	attached bool   // davit came to a container that ran
	struck   string // what was done to it
}

func (c *session) String() string {
	what := "davit run -it of"
	if c.attached {
		what = "davit attach to"
	}
	return fmt.Sprintf("%s %v, with %s", what, c.life, c.struck)
}

// terminals shows containers at terminals, n times with each fault in each phase.
func terminals(n int) func(context.Context, *storm) {
	return func(ctx context.Context, s *storm) {
		for _, t := range s.site.targets {
			rnd := rand.New(rand.NewPCG(s.seed, 0))
			for _, runtime := range t.runtimes {
				for range n {
					for _, kind := range []string{"", killsHost, killsExecutor, killsHostExec, killsContainerd} {
						if kind == killsContainerd && t.daemon == "" {
							continue
						}
						for _, phase := range []string{phaseBegun, phaseFlowing} {
							if ctx.Err() == nil {
								s.show(ctx, t, runtime, kind, phase, rnd)
							}
						}
					}
				}
			}
		}
	}
}

// show runs a container at a terminal, or attaches to one, with a fault in a phase. Davit shows
// all of the output, and ends with the container's code, or says that it does not; the log has
// all of it.
func (s *storm) show(ctx context.Context, t target, runtime, kind, phase string, rnd *rand.Rand) {
	if !s.ready(ctx, t) { // after what was done to it before
		return
	}
	l := s.next()
	l.target, l.runtime, l.rate, l.lines = t, runtime, terminalRate, terminalLines
	c := &session{storm: s, life: l, attached: rnd.IntN(3) == 0, struck: "no fault"}
	if kind != "" {
		c.struck = kind + ", " + phase
	}
	if err := s.prepare(l); err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	if c.attached {
		l.style, l.lines = steered, 0
		if !c.create(ctx) {
			return
		}
	}
	strike := func(now string) {
		if kind == "" || now != phase {
			return
		}
		pause(ctx, upTo(rnd, 40*time.Millisecond))
		for begin := time.Now(); !s.strike(ctx, kind, t, rnd); { // it is still down from the fault before
			if time.Since(begin) > patience || !pause(ctx, 10*time.Millisecond) {
				s.report.bad(tooFew, "%v did not come", c)
				return
			}
		}
		s.report.fault(kind, phase)
		s.logf("%v", c)
	}
	shown, said, code, err := c.run(ctx, strike)
	if err != nil {
		s.report.bad(others, "%v: %v", c, err)
	}
	if ctx.Err() == nil {
		c.judge(ctx, shown, said, code, kind)
	}
	if err := s.delete(ctx, l.name()); err != nil {
		s.report.bad(leftovers, "%v cannot be removed: %v", c, err)
	}
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v is removed, and runs: %v", c, left)
	}
}

// create makes the container to which davit is then attached.
func (c *session) create(ctx context.Context) bool {
	s := c.storm
	var said bytes.Buffer
	cmd := s.site.client.command(ctx, c.start("-d")...)
	cmd.Stderr = &said
	id, err := cmd.Output()
	if err != nil {
		s.report.bad(others, "%v: %v: %s", c, err, said.Bytes())
		return false
	}
	c.life.id = string(bytes.TrimSpace(id))
	s.known(c.life)
	return true
}

// start returns the command line that starts the container.
func (c *session) start(flags ...string) []string {
	l, s := c.life, c.storm
	args := append([]string{"run", "-it"}, flags...)
	args = append(args, "--name", l.name(), "--backend", l.target.name, "--rootfs", s.site.rootfs)
	if l.runtime != "" {
		args = append(args, "--runtime", l.runtime)
	}
	if !l.target.direct {
		args = append(args, "-v", l.dir+":/storm")
	}
	args = append(args, s.program(l, "--token", l.dir, "--lines", fmt.Sprint(l.lines), "--rate", fmt.Sprint(l.rate), "--code", fmt.Sprint(l.code), "--quiet")...)
	if c.attached {
		args = append(args, "--steered")
	}
	return args
}

// command returns the command line of which the terminal is looked at.
func (c *session) command() []string {
	if c.attached {
		return []string{"attach", "--no-stdin", c.life.id}
	}
	return c.start()
}

// run runs davit at a terminal of its own, and reports each phase as it comes. It returns what
// was on the screen, and what davit said beside it.
func (c *session) run(ctx context.Context, enters func(phase string)) (shown []byte, said string, code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := c.storm.site.client.command(ctx, c.command()...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	screen, err := atTerminal(cmd)
	if err != nil {
		return nil, "", -1, err
	}
	defer screen.Close()
	enters(phaseBegun)
	for lines, r := 0, bufio.NewReader(screen); ; lines++ {
		text, err := r.ReadBytes('\n')
		shown = append(shown, text...)
		if err != nil { // davit has ended
			break
		}
		if lines == terminalLines/2 {
			enters(phaseFlowing)
		}
		if lines == terminalLines && c.attached {
			if err := c.life.stop(); err != nil {
				return nil, "", -1, err
			}
		}
	}
	_ = cmd.Wait()
	return shown, stderr.String(), cmd.ProcessState.ExitCode(), nil
}

// judge wants all of the output on the screen and the container's code, or an error, and all of
// it in the log. What was attached shows what came from then on. Without a fault there is no
// reason for an error.
func (c *session) judge(ctx context.Context, shown []byte, said string, code int, kind string) {
	s, l := c.storm, c.life
	done, _ := l.acked()
	got := c.tally(shown, c.attached)
	switch {
	case code == l.code && got.missing+got.torn+got.doubled == 0 && got.last == done:
		s.report.count("terminals that showed all", 1)
	case kind == "" || code != 125 && !(c.attached && code == 1) || !strings.Contains(said, "davit: "):
		s.report.bad(lost, "%v: %d of %d lines are shown, %d missing, %d torn, %d twice, first at %d: %.120q; code %d, want %d: %s", c, got.last, done, got.missing, got.torn, got.doubled, got.first, got.instead, code, l.code, said)
	default:
		s.report.count("terminals of which davit said that they were cut", 1)
		s.logf("%v: cut after %d lines: %s", c, got.last, said)
		return // it may not even have been started, or go on
	}
	if starts := l.starts(); len(starts) != 1 {
		s.report.bad(secondStarts, "%v was started %d times", c, len(starts))
	}
	var logged tally
	err := s.insist(ctx, func() error {
		return s.site.client.stream(ctx, "/containers/"+l.name()+"/logs?stdout=true", func(r io.Reader) error {
			text, err := io.ReadAll(r)
			logged = c.tally(text, false)
			return err
		})
	})
	if err != nil || logged.last != done || logged.missing+logged.torn+logged.doubled > 0 {
		s.report.bad(lost, "%v: the log has %+v of %d lines: %v", c, logged, done, err)
	}
}

// tally reads what came out of a terminal, from its beginning or from the first whole line.
// Terminals make line feeds of newlines, one behind the other.
func (c *session) tally(text []byte, within bool) tally {
	text = bytes.ReplaceAll(text, []byte("\r"), nil)
	before := uint64(0)
	if within {
		_, text, _ = bytes.Cut(text, []byte("\n"))
		first, _, _ := bytes.Cut(text, []byte("\n"))
		if n, ok := line.Parse(first, 'o'); ok {
			before = n - 1
		}
	}
	t, _ := read(bytes.NewReader(text), 'o')
	if t.missing >= before {
		t.missing -= before
	}
	return t
}

// atTerminal starts a program at a new terminal, and returns what is shown there.
func atTerminal(cmd *exec.Cmd) (screen *os.File, err error) {
	screen, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0)
	}
	var own *os.File
	if err == nil {
		own, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, errors.Join(err, screen.Close())
	}
	defer own.Close()
	cmd.Stdin, cmd.Stdout = own, own
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, screen.Close())
	}
	return screen, nil
}
