package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/moby/sys/signal"
	"golang.org/x/sys/unix"
)

// MaxBody is the most that the body of a request may hold, in bytes.
const MaxBody = 8 << 20

// bodyTime is how long a client may take to send a body.
const bodyTime = 30 * time.Second

// readBody decodes the body of a request. An empty one leaves v as it is if
// optional.
func readBody(w http.ResponseWriter, r *http.Request, v any, optional bool) error {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(bodyTime)) // recorders of tests have none
	defer func() { _ = rc.SetReadDeadline(time.Time{}) }()
	// Read first: the decoder is slow on bodies that trickle in.
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return invalid("the request's body: %w", err)
	}
	if len(raw) == 0 && optional {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return invalid("the request's body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("the request's body holds more than one JSON value")
	}
	return nil
}

// A query reads the parameters of a request. Those that nobody asked for are
// refused, so that a misspelt one is not passed over.
type query struct {
	values url.Values
	err    error
}

func queryOf(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		err = invalid("the request's parameters: %w", err)
	}
	return &query{values: values, err: err}
}

func (q *query) take(name string) (string, bool) {
	value, ok := q.values[name]
	delete(q.values, name)
	if len(value) > 1 && q.err == nil {
		q.err = invalid("parameter %s is given %d times", name, len(value))
	}
	if !ok {
		return "", false
	}
	return value[0], true
}

func (q *query) bool(name string) (b bool) {
	if s, ok := q.take(name); ok {
		b = parsed(q, name, s, strconv.ParseBool)
	}
	return b
}

// int gives a number, or missing if it is not there.
func (q *query) int(name string, missing int) int {
	if s, ok := q.take(name); ok {
		return parsed(q, name, s, strconv.Atoi)
	}
	return missing
}

// offset gives a place in a stream, or 0.
func (q *query) offset(name string) int64 {
	if s, ok := q.take(name); ok {
		return parsed(q, name, s, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	}
	return 0
}

// cursor gives a place in the journal, or nil.
func (q *query) cursor(name string) *uint64 {
	if s, ok := q.take(name); ok {
		n := parsed(q, name, s, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
		return &n
	}
	return nil
}

// time gives a time, or the zero one if it is not there.
func (q *query) time(name string) (t time.Time) {
	if s, ok := q.take(name); ok {
		t = parsed(q, name, s, func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) })
	}
	return t
}

func parsed[T any](q *query, name, s string, parse func(string) (T, error)) T {
	v, err := parse(s)
	if err != nil && q.err == nil {
		q.err = invalid("parameter %s: %q is not allowed", name, s)
	}
	return v
}

// done gives the first error, after all parameters were read.
func (q *query) done() error {
	for name := range q.values {
		if q.err == nil {
			q.err = invalid("parameter %q is not known here", name)
		}
	}
	return q.err
}

// duration is a time.Duration that is written as in Go.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// signalName is a signal that is written by name, or by number if it has none.
type signalName executor.Signal

func (s signalName) MarshalText() ([]byte, error) {
	if name := unix.SignalName(executor.Signal(s)); name != "" {
		return []byte(name), nil
	}
	return []byte(strconv.Itoa(int(s))), nil
}

func (s *signalName) UnmarshalText(text []byte) error {
	sig, err := signal.ParseSignal(string(text))
	*s = signalName(sig)
	return err
}
