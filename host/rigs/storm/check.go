package storm

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/davit-run/davit/host/rigs/storm/internal/line"
)

// checkEnd checks a container that has ended.
func (s *storm) checkEnd(ctx context.Context, l *life) {
	var v containerView
	if err := s.insist(ctx, func() (err error) { v, err = s.site.client.inspect(ctx, l.id, l.n%16 == 0); return err }); err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	if v.State == "failed" {
		s.failedStart(l, v.Error)
		return
	}
	s.checkExit(l, v)
	s.checkStart(l)
	if left := s.alive(l); len(left) > 0 {
		s.report.bad(leftovers, "%v has ended, and runs: %v", l, left)
	}
	stdout, stderr := l.acked()
	s.report.count(lines, int(stdout+stderr))
	s.checkLines(ctx, l, 'o', stdout)
	s.checkLines(ctx, l, 'e', stderr)
}

// checkExit wants one exit, with the workload's code.
func (s *storm) checkExit(l *life, v containerView) {
	e := v.Exit
	if v.State != "exited" || e == nil {
		s.report.bad(wrongExits, "%v was waited for and is %s", l, v.State)
		return
	}
	done, _ := l.acked()
	code := -1
	if e.Code != nil {
		code = *e.Code
	}
	var right bool
	switch l.style {
	case killed:
		right = e.Signal == 9 || code == 128+9
	case steered:
		right = code == l.code && e.Signal == 0
	default:
		right = code == l.code && e.Signal == 0 && done == l.lines
	}
	switch {
	case v.Attempt != 1:
		s.report.bad(secondStarts, "%v is at attempt %d", l, v.Attempt)
	case !right:
		s.report.bad(wrongExits, "%v: got code %d, signal %d, source %s %q after %d lines, want code %d", l, code, e.Signal, e.Source, e.Reason, done, l.code)
	case e.Source == "recovered":
		s.report.count(recovered, 1)
	}
	if e.Output != "complete" {
		s.report.count(unsureOutput, 1)
	}
}

// checkStart wants one start, of the process that was shown.
func (s *storm) checkStart(l *life) {
	starts := l.starts()
	if len(starts) != 1 {
		s.report.bad(secondStarts, "%v was started %d times", l, len(starts))
	} else if l.started != "" && starts[0] != "-" && l.started != starts[0] {
		s.report.bad(otherProcess, "%v: the process that is shown started at %s, the workload at %s", l, l.started, starts[0])
	}
}

// checkProcess looks at the process that the container is said to be.
func (s *storm) checkProcess(l *life, pid int) {
	started := startTime(pid)
	switch {
	case l.pid == 0:
		l.pid, l.started = pid, started
	case l.pid != pid:
		s.report.bad(otherProcess, "%v: its process was %d and is %d", l, l.pid, pid)
	case started != "" && l.started != "" && l.started != started:
		s.report.bad(otherProcess, "%v: process %d started at %s and now at %s", l, pid, l.started, started)
	}
}

// checkLines wants each acknowledged line of a stream once, in order and whole.
// Some containers are read by the command line, the others by the API.
func (s *storm) checkLines(ctx context.Context, l *life, stream byte, acked uint64) {
	var got tally
	take := func(r io.Reader) (err error) { got, err = read(r, stream); return err }
	flag := map[byte]string{'o': "stdout", 'e': "stderr"}[stream]
	err := s.insist(ctx, func() error {
		if l.n%16 == 0 {
			return s.site.client.run(ctx, stream == 'e', take, "logs", "--"+flag, l.id)
		}
		return s.site.client.stream(ctx, "/containers/"+l.id+"/logs?"+flag+"=true", take)
	})
	if err != nil {
		s.report.bad(others, "%v: %v", l, err)
		return
	}
	got.missing += max(acked, got.last) - got.last
	for _, count := range []struct {
		what string
		n    uint64
	}{{lost, got.missing}, {torn, got.torn}, {doubled, got.doubled}} {
		if count.n > 0 {
			s.report.bad(count.what, "%v: %d of %d on %s, first where line %d was due, with %.120q there", l, count.n, acked, flag, got.first, got.instead)
		}
	}
	if got.last > acked && l.style != killed { // whose last line may not be acknowledged any more
		s.report.bad(others, "%v: %s has %d lines, and %d were acknowledged", l, flag, got.last, acked)
	}
}

// tally is what the lines of a stream amount to.
type tally struct {
	last                   uint64 // the highest number
	missing, torn, doubled uint64
	first                  uint64 // what was due where something was wrong first
	instead                string // what was there
}

// read looks at a stream.
func read(r io.Reader, stream byte) (t tally, err error) {
	for lines := bufio.NewReaderSize(r, 64<<10); ; {
		text, err := lines.ReadSlice('\n')
		if len(text) > 0 {
			whole, ended := bytes.CutSuffix(text, []byte{'\n'})
			n, ok := line.Parse(whole, stream)
			if (!ok || n != t.last+1) && t.first == 0 {
				t.first, t.instead = t.last+1, string(whole)
			}
			switch {
			case !ok || !ended:
				t.torn++
			case n <= t.last:
				t.doubled++
			default:
				t.missing += n - t.last - 1
				t.last = n
			}
		}
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return t, fmt.Errorf("reading lines: %w", err)
		}
	}
}
