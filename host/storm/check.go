package storm

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/davit-run/davit/host/storm/internal/line"
)

// checkEnd checks a container that has ended.
func (s *storm) checkEnd(ctx context.Context, l *life) {
	var v containerView
	if err := s.insist(ctx, func() (err error) { v, err = s.site.client.inspect(ctx, l.id); return err }); err != nil {
		s.report.violation("%v: %v", l, err)
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
	s.checkLines(ctx, l, "--stdout", 'o', stdout)
	s.checkLines(ctx, l, "--stderr", 'e', stderr)
}

// checkExit wants one exit, with the workload's code.
func (s *storm) checkExit(l *life, v containerView) {
	done, _ := l.acked()
	switch e := v.Exit; {
	case v.State != "exited" || e == nil:
		s.report.bad(wrongExits, "%v was waited for and is %s", l, v.State)
		return
	case v.Attempt != 1:
		s.report.bad(wrongExits, "%v is at attempt %d", l, v.Attempt)
	case e.Source == "lost" && e.Code == nil && l.backend.forgets && s.down(l.backend) != l.downs:
		s.report.count(gapExits, 1)
		s.logf("%v: lost: %s", l, e.Reason)
	case e.Code == nil || *e.Code != l.code || e.Signal != 0 || done != l.lines:
		code := -1
		if e.Code != nil {
			code = *e.Code
		}
		s.report.bad(wrongExits, "%v: got code %d, signal %d, source %s %q after %d lines, want code %d", l, code, e.Signal, e.Source, e.Reason, done, l.code)
	case e.Source == "recovered":
		s.report.count(recovered, 1)
	}
	if v.Exit.Output != "complete" {
		s.report.count(unsureOutput, 1)
	}
}

// checkStart wants one start, of the process that was shown.
func (s *storm) checkStart(l *life) {
	starts := l.starts()
	if len(starts) != 1 {
		s.report.bad(secondStarts, "%v was started %d times", l, len(starts))
	} else if l.started != "" && l.started != starts[0] {
		s.report.violation("%v: the process that is shown started at %s, the workload at %s", l, l.started, starts[0])
	}
}

// checkLines wants each acknowledged line of a stream once, in order and whole.
func (s *storm) checkLines(ctx context.Context, l *life, flag string, stream byte, acked uint64) {
	var got tally
	err := s.insist(ctx, func() error {
		return s.site.client.run(ctx, stream == 'e', func(r io.Reader) (err error) { got, err = read(r, stream); return err }, "logs", flag, l.id)
	})
	if err != nil {
		s.report.violation("%v: %v", l, err)
		return
	}
	got.missing += max(acked, got.last) - got.last
	for what, n := range map[string]uint64{lost: got.missing, torn: got.torn, doubled: got.doubled} {
		if n > 0 {
			s.report.bad(what, "%v: %d of %d on %s, first where line %d was due", l, n, acked, flag, got.first)
		}
	}
	if got.last > acked {
		s.report.violation("%v: %s has %d lines, and %d were acknowledged", l, flag, got.last, acked)
	}
}

// tally is what the lines of a stream amount to.
type tally struct {
	last                   uint64 // the highest number
	missing, torn, doubled uint64
	first                  uint64 // what was due where something was wrong first
}

// read looks at a stream.
func read(r io.Reader, stream byte) (t tally, err error) {
	for lines := bufio.NewReader(r); ; {
		text, err := lines.ReadBytes('\n')
		if len(text) > 0 {
			whole, ended := bytes.CutSuffix(text, []byte{'\n'})
			n, ok := line.Parse(whole, stream)
			if (!ok || n != t.last+1) && t.first == 0 {
				t.first = t.last + 1
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
		if err != nil {
			return t, err
		}
	}
}

// checkEvents wants a journal without gaps that tells each step of a life once.
func (s *storm) checkEvents(ctx context.Context) {
	var last uint64
	seen := map[string][]string{} // types, by container
	err := s.insist(ctx, func() error {
		return s.site.client.run(ctx, false, func(r io.Reader) error {
			for dec := json.NewDecoder(r); ; {
				var e event
				if err := dec.Decode(&e); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if last != 0 && e.Seq != last+1 {
					s.report.bad(eventGaps, "event %d follows event %d", e.Seq, last)
				}
				last = e.Seq
				s.report.count(events, 1)
				seen[e.Container] = append(seen[e.Container], strings.TrimPrefix(e.Type, "container."))
			}
		}, "events", "--format", "json")
	})
	if err != nil {
		s.report.violation("%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lives {
		switch got := strings.Join(seen[l.id], " "); got {
		case "created started exited removed", "created failed removed":
		default:
			s.report.violation("%v: its events are %q", l, got)
		}
	}
}
