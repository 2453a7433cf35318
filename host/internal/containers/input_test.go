package containers

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
)

// The end of an input whose close fails comes later all the same: what is behind the backend
// may have been down.
func TestInputIsClosedLater(t *testing.T) {
	m := openManager(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	opts := program(t, "copy stdout", "exit 3")
	opts.Stdin = true
	var got bytes.Buffer
	end, err := m.RunStreams(ctx, opts, "", api.Streams{
		Input:  api.InputFrom(strings.NewReader("all of it")),
		Output: func(_ api.Stream, data []byte) error { got.Write(data); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if end.Exit.Code == nil || *end.Exit.Code != 3 || got.String() != "all of it" {
		t.Errorf("got %+v, %q", end.Exit, got.String())
	}
}

// Who gives a process its input knows at once that another client has ended it.
func TestInputClosedByAnother(t *testing.T) {
	m := openManager(t, nil)
	opts := program(t, "copy stdout")
	opts.Stdin = true
	c, err := m.Create(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	ref := executor.Ref{ID: c.ID, Attempt: 1}
	v := &conversation{manager: m, ref: ref}
	for range 2 {
		if v.inputClosed() {
			t.Error("it is closed before anybody has closed it")
		}
	}
	if err := m.recordClose(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if !v.inputClosed() {
		t.Error("another client has closed it, and that is not seen")
	}
	if err := m.Remove(t.Context(), c.ID, true); err != nil {
		t.Fatal(err)
	}
}
