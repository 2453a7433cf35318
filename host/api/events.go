package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/davit-run/davit/host"
	"github.com/davit-run/davit/shared/executor"
)

// EventOptions say which events are wanted. The zero value is all that are kept.
type EventOptions struct {
	// After is the Seq of the last event that the reader knows.
	After *uint64
	// Tail, unless nil, gives that many of the latest events, in place of After.
	Tail *uint64
	// Follow goes on with those that come.
	Follow bool
}

// eventLine is an event, or the reason why there are no more.
type eventLine struct {
	*host.Event
	Error *failure `json:"error,omitempty"`
}

func (s *handler) events(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r)
	follow, after, tail := q.bool("follow"), q.cursor("after"), q.cursor("tail")
	if err := q.done(); err != nil {
		return err
	}
	oldest, newest, err := s.host.EventCursors()
	if err != nil {
		return err
	}
	from := oldest
	switch {
	case after != nil && tail != nil:
		return invalid("parameters after and tail do not go together")
	case after != nil:
		from = *after
	case tail != nil && *tail < newest-oldest:
		from = newest - *tail
	}
	if from < oldest || from > newest {
		for _, err := range s.host.Events(r.Context(), from) {
			return err // of a cursor that is no good
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set(afterHeader, strconv.FormatUint(from, 10))
	rc := http.NewResponseController(w)
	send := func(l eventLine) error {
		line, err := encode(l)
		if err == nil {
			_, err = w.Write(line)
		}
		if err == nil {
			err = rc.Flush()
		}
		return err
	}
	if err := rc.Flush(); err != nil || from == newest && !follow {
		return nil
	}
	for e, err := range s.host.Events(r.Context(), from) {
		if err != nil {
			_ = send(eventLine{Error: failureOf(cause(r.Context(), err))}) // fails if the client has gone
			return nil
		}
		if send(eventLine{Event: &e}) != nil || e.Seq >= newest && !follow {
			return nil
		}
	}
	return nil
}

// afterHeader has the Seq after which events are given, for a client that wants to
// go on from there before it has seen one.
const afterHeader = "Davit-Events-After"

// Events gives events of the host's journal, in order and without a gap. It ends
// with an error, or without one after the last event if none are followed.
func (c *Client) Events(ctx context.Context, opts EventOptions) iter.Seq2[host.Event, error] {
	return func(yield func(host.Event, error) bool) {
		more := true
		err := c.persist(ctx, func() error {
			return c.events(ctx, &opts, func(e host.Event) bool { more = yield(e, nil); return more })
		})
		if err != nil && more {
			yield(host.Event{}, err)
		}
	}
}

// events gives the events of one request, and notes in opts how far it came.
func (c *Client) events(ctx context.Context, opts *EventOptions, yield func(host.Event) bool) error {
	q := url.Values{}
	if opts.After != nil {
		q.Set("after", strconv.FormatUint(*opts.After, 10))
	}
	if opts.Tail != nil {
		q.Set("tail", strconv.FormatUint(*opts.Tail, 10))
	}
	if opts.Follow {
		q.Set("follow", "true")
	}
	resp, err := c.open(ctx, http.MethodGet, "/v1/events?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	after, err := strconv.ParseUint(resp.Header.Get(afterHeader), 10, 64)
	if err != nil {
		return executor.Errorf(executor.Internal, "answer of the host at %s: no events: %w", c.socket, err)
	}
	opts.After, opts.Tail = &after, nil
	dec := json.NewDecoder(resp.Body)
	for {
		line := eventLine{Event: &host.Event{}}
		err := dec.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.broken(ctx, http.MethodGet, err)
		case line.Error != nil:
			return line.Error.err()
		}
		*opts.After = line.Seq
		if !yield(*line.Event) {
			return nil
		}
	}
}
