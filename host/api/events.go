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
	rc := http.NewResponseController(w)
	begun := false
	send := func(l eventLine) error {
		if !begun {
			begun = true
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		line, err := encode(l)
		if err == nil {
			_, err = w.Write(line)
		}
		if err == nil {
			err = rc.Flush()
		}
		return err
	}
	if from == newest && !follow {
		w.Header().Set("Content-Type", "application/x-ndjson")
		return nil
	}
	for e, err := range s.host.Events(r.Context(), from) {
		if err != nil && !begun {
			return err
		}
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

// Events gives events of the host's journal, in order and without a gap. It ends
// with an error, or without one after the last event if none are followed.
func (c *Client) Events(ctx context.Context, opts EventOptions) iter.Seq2[host.Event, error] {
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
	return func(yield func(host.Event, error) bool) {
		body, err := c.open(ctx, http.MethodGet, "/v1/events?"+q.Encode(), nil)
		if err != nil {
			yield(host.Event{}, err)
			return
		}
		defer body.Close()
		dec := json.NewDecoder(body)
		for {
			line := eventLine{Event: &host.Event{}}
			err := dec.Decode(&line)
			switch {
			case errors.Is(err, io.EOF):
				return
			case err != nil:
				err = c.broken(ctx, http.MethodGet, err)
			case line.Error != nil:
				err = line.Error.err()
			}
			if !yield(*line.Event, err) || err != nil {
				return
			}
		}
	}
}
