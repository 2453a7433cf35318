package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/http"
	"strconv"

	"github.com/davit-run/davit/shared/executor"
)

// EventOptions select events. The zero value selects all that are kept.
type EventOptions struct {
	// After is the Seq of the last event that the reader has seen.
	After *uint64 `query:"after" json:"-"`
	// Tail, unless nil, asks for that many of the latest events, instead of After.
	Tail *uint64 `query:"tail" json:"-"`
	// Follow goes on with new events as they come.
	Follow bool `query:"follow" json:"-"`
}

// eventStream is the type of the reply: one JSON object a line.
type eventStream struct{}

// eventLine is an event, or the reason why there are no more.
type eventLine struct {
	*Event
	Error *failure `json:"error,omitempty"`
}

// afterHeader is the header with the Seq after which the events begin. A client that has
// seen none can go on from there.
const afterHeader = "Davit-Events-After"

type journal interface {
	Events(ctx context.Context, after uint64) iter.Seq2[Event, error]
	EventCursors() (oldest, newest uint64, err error)
}

var eventsRoute = define(route[journal, EventOptions, eventStream]{
	Name:   "Events",
	Method: http.MethodGet,
	Path:   "/v1/events",
	Doc:    "streams the events of the journal, one JSON object a line",
	Stream: streamEvents,
})

func streamEvents(ctx context.Context, h journal, r *EventOptions, w http.ResponseWriter) error {
	oldest, newest, err := h.EventCursors()
	if err != nil {
		return err
	}
	from := oldest
	switch {
	case r.After != nil && r.Tail != nil:
		return invalid("parameters after and tail do not go together")
	case r.After != nil:
		from = *r.After
	case r.Tail != nil && *r.Tail < newest-oldest:
		from = newest - *r.Tail
	}
	if from < oldest || from > newest {
		for _, err := range h.Events(ctx, from) {
			return err // of a cursor that is not valid
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
	if err := rc.Flush(); err != nil || from == newest && !r.Follow {
		return nil
	}
	for e, err := range h.Events(ctx, from) {
		if err != nil {
			_ = send(eventLine{Error: failureOf(cause(ctx, err))}) // fails if the client has gone
			return nil
		}
		if send(eventLine{Event: &e}) != nil || e.Seq >= newest && !r.Follow {
			return nil
		}
	}
	return nil
}

// Events returns events of the host's journal, in order and without a gap. If it follows,
// it ends with an error. If not, it ends without one after the last event.
func (c *Client) Events(ctx context.Context, opts EventOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		more := true
		err := c.retry(ctx, func() error {
			return c.events(ctx, &opts, func(e Event) bool { more = yield(e, nil); return more })
		})
		if err != nil && more {
			yield(Event{}, err)
		}
	}
}

// events yields the events of one request, and stores in opts how far it came.
func (c *Client) events(ctx context.Context, opts *EventOptions, yield func(Event) bool) error {
	resp, err := eventsRoute.open(ctx, c, *opts)
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
		line := eventLine{Event: &Event{}}
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
