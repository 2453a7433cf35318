package containers

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/host/api"
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
