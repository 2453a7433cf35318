package storm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// journal follows the host's events by a cursor, over all restarts.
type journal struct {
	storm *storm
	stop  context.CancelFunc
	wg    sync.WaitGroup

	last uint64
	seen map[string][]string // types, by container
}

// event is a line of GET /events.
type event struct {
	Seq       uint64
	Type      string
	Container string
	Error     json.RawMessage
}

// follow begins to read the events.
func (s *storm) follow(ctx context.Context) *journal {
	j := &journal{storm: s, seen: map[string][]string{}}
	ctx, j.stop = context.WithCancel(ctx)
	j.wg.Go(func() {
		for pause(ctx, 500*time.Millisecond) {
			_ = j.read(ctx) // while the host is down there is nothing to read
		}
	})
	return j
}

// read reads what is new.
func (j *journal) read(ctx context.Context) error {
	text, err := j.storm.site.client.get(ctx, fmt.Sprintf("/events?after=%d", j.last))
	if err != nil {
		return err
	}
	for l := range bytes.Lines(text) {
		var e event
		if err := json.Unmarshal(l, &e); err != nil {
			return nil // cut off with the host
		}
		if e.Error != nil {
			return fmt.Errorf("events: %s", e.Error)
		}
		if e.Seq != j.last+1 {
			j.storm.report.bad(eventGaps, "event %d follows event %d", e.Seq, j.last)
		}
		j.last = e.Seq
		j.storm.report.count(events, 1)
		if name, ok := strings.CutPrefix(e.Type, "container."); ok {
			j.seen[e.Container] = append(j.seen[e.Container], name)
		}
	}
	return nil
}

// reportedOnce matches the steps of a life, each reported once. A pause that the host died in
// is reported by its end alone. An update may be repeated, and come last after the end.
var reportedOnce = regexp.MustCompile(`^created (failed|started( paused)?( resumed)?( updated)* exited)( updated)* removed$`)

// check wants a journal without gaps that reports each step of a life once.
func (j *journal) check(ctx context.Context) {
	j.stop()
	j.wg.Wait()
	s := j.storm
	if err := s.insist(ctx, func() error { return j.read(ctx) }); err != nil {
		s.report.bad(eventGaps, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lives {
		if !l.gone {
			continue
		}
		if l.net != nil && l.net.restarted {
			continue
		}
		got := slices.DeleteFunc(slices.Clone(j.seen[l.id]), func(step string) bool { return step == "health_status" })
		if n := len(j.seen[l.id]) - len(got); n != l.changes {
			s.report.bad(eventGaps, "%v: its health has changed %d times, and %d events say so", l, l.changes, n)
		}
		ends := 0
		for _, step := range got {
			if step == "exited" {
				ends++
			}
		}
		steps := strings.Join(got, " ")
		switch {
		case ends > 1:
			s.report.bad(wrongExits, "%v: its exit was reported %d times", l, ends)
		case !reportedOnce.MatchString(steps):
			s.report.bad(eventGaps, "%v: its events are %q", l, steps)
		}
	}
}
