package transport

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"sync"
	"testing"

	"github.com/davit-run/davit/shared/trace"
)

// TestSpansComeBack traces a call, and one that fails.
func TestSpansComeBack(t *testing.T) {
	host, _ := pair(t, nil, Handlers{
		"work": handle(func(ctx context.Context, fail bool) (None, error) {
			_, span := trace.Start(ctx, "inner")
			span.End(nil)
			if fail {
				return None{}, errors.New("it failed")
			}
			return None{}, nil
		}),
	})
	var mu sync.Mutex
	var spans []trace.Span
	ctx := trace.Begin(t.Context(), "", "host", func(s trace.Span) {
		mu.Lock()
		defer mu.Unlock()
		spans = append(spans, s)
	})
	for _, fail := range []bool{false, true} {
		spans = nil
		calling, call := trace.StartCall(ctx, "call", "executor")
		if err := host.Call(calling, "work", fail, nil); (err != nil) != fail {
			t.Error(err)
		}
		call.End(nil)
		if len(spans) != 3 {
			t.Fatalf("got %+v", spans)
		}
		inner, served, called := spans[0], spans[1], spans[2]
		if inner.Name != "inner" || inner.Parent != served.ID || served.Name != "work" || served.Parent != called.ID || served.Service != "executor" || served.Kind != trace.Server || (served.Error != "") != fail {
			t.Errorf("got %+v", spans)
		}
	}
	spans = nil
	if err := host.Call(t.Context(), "work", false, nil); err != nil || len(spans) != 0 {
		t.Errorf("without a trace: got %+v, %v", spans, err)
	}
}

// TestSpansAreOptional has a reply with spans, for a host that knows none.
func TestSpansAreOptional(t *testing.T) {
	var sent bytes.Buffer
	if err := gob.NewEncoder(&sent).Encode(&Response{Body: []byte("null"), Spans: []byte("[]")}); err != nil {
		t.Fatal(err)
	}
	var first struct {
		Code, Message string
		Body          []byte
	}
	if err := gob.NewDecoder(&sent).Decode(&first); err != nil || string(first.Body) != "null" {
		t.Errorf("got %+v, %v", first, err)
	}
}
