package api

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"time"
)

// stream is the body of a request that is not JSON.
type stream struct {
	kind    string
	content io.Reader
}

// streamed reports whether the body of requests of a type is a stream.
func streamed(t reflect.Type) bool {
	for f := range t.Fields() {
		if f.Tag.Get("stream") != "" {
			return true
		}
	}
	return false
}

// drainTime is how long what is left of a body is read after an error, if the client does
// not see the error and goes on.
const drainTime = 10 * time.Second

// untilDone lets a body take as long as the client likes, but not longer than the request,
// which also ends when the host stops.
func untilDone(w http.ResponseWriter, r *http.Request) (stop func() bool) {
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.EnableFullDuplex() // an error is the answer before all of the body is read
	return context.AfterFunc(r.Context(), func() { _ = rc.SetReadDeadline(time.Now()) })
}

// drain reads what is left of the body after an error was the answer: a client that still
// writes might otherwise find a broken connection and not the answer.
func drain(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if rc.Flush() != nil || rc.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
}
