package trace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// spans is a sink that keeps what it gets.
type spans struct {
	mu  sync.Mutex
	all []Span
}

func (s *spans) sink(span Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, span)
}

func TestTraceparents(t *testing.T) {
	for text, want := range map[string]bool{
		parent: true, "": false, "nonsense": false,
		strings.TrimSuffix(parent, "1") + "0":                    false, // not sampled
		strings.TrimSuffix(parent, "01") + "03":                  true,
		parent + "-more":                                         false, // version 00 has no more
		"01" + parent[2:] + "-more":                              true,
		"01" + parent[2:] + "more":                               false,
		"ff" + parent[2:]:                                        false,
		strings.ToUpper(parent):                                  false,
		"00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01": false,
		"00-0af7651916cd43dd8448eb211c80319c-" + strings.Repeat("0", 16) + "-01": false,
		"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01":                false,
	} {
		if got := Wanted(text); got != want {
			t.Errorf("%q: got %t", text, got)
		}
	}
}

func TestSpans(t *testing.T) {
	var s spans
	ctx := Begin(t.Context(), parent, "host", s.sink)
	ctx, outer := Start(ctx, "outer")
	outer.Serves()
	outer.Set("container", "c1")
	outer.Set("nothing", "")
	inner, span := Start(ctx, "inner")
	if got := Traceparent(inner); !Wanted(got) || !strings.Contains(got, span.span.ID) || !strings.HasPrefix(got, parent[:36]) {
		t.Errorf("the traceparent is %q", got)
	}
	span.End(errors.New("it failed"))
	outer.End(nil)
	if len(s.all) != 2 {
		t.Fatalf("got %+v", s.all)
	}
	in, out := s.all[0], s.all[1]
	if in.Parent != out.ID || out.Parent != "b7ad6b7169203331" || in.Trace != out.Trace || in.Trace != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the parents are wrong: %+v", s.all)
	}
	if in.Error != "it failed" || in.Kind != Internal || out.Kind != Server || out.Service != "host" || len(out.Attributes) != 1 || out.End.Before(in.End) {
		t.Errorf("got %+v", s.all)
	}
	fresh := Begin(t.Context(), "", "davit", s.sink)
	if Traceparent(fresh) != "" {
		t.Error("a trace without a span can be continued")
	}
	_, first := Start(fresh, "first")
	if first.End(nil); s.all[2].Parent != "" || !isID(s.all[2].Trace, 32) {
		t.Errorf("a new trace: %+v", s.all[2])
	}
	passed := Pass(t.Context(), parent)
	if _, none := Start(passed, "x"); none != nil || Traceparent(passed) != parent {
		t.Errorf("passed on it is %q", Traceparent(passed))
	}
}

// TestOff has no trace: nothing is made.
func TestOff(t *testing.T) {
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		within, span := Start(ctx, "x")
		span.Set("a", "b")
		span.Serves()
		span.End(nil)
		Merge(within, nil)
		if within != ctx || Traceparent(ctx) != "" {
			t.Error("something is there")
		}
	}); n > 0 {
		t.Errorf("it makes %v values", n)
	}
	if ctx, c := Collect(ctx, ""); c != nil || c.Encode() != nil || ctx != t.Context() {
		t.Error("spans are collected")
	}
}

// called returns the spans that come back from a peer which serves a call.
func called(t *testing.T, serve func(ctx context.Context) []byte) (call Span, back []Span) {
	t.Helper()
	var s spans
	ctx, a := StartCall(Begin(t.Context(), parent, "host", s.sink), "call", "executor")
	Merge(ctx, serve(ctx))
	a.End(nil)
	last := len(s.all) - 1
	return s.all[last], s.all[:last]
}

func TestMerge(t *testing.T) {
	call, back := called(t, func(ctx context.Context) []byte {
		served, c := Collect(context.Background(), Traceparent(ctx))
		served, outer := Start(served, "create")
		outer.Serves()
		_, inner := Start(served, "shim.create")
		inner.Set("shim", "runc")
		inner.End(errors.New(strings.Repeat("x", 10_000)))
		outer.End(nil)
		return c.Encode()
	})
	if len(back) != 2 || back[1].Parent != call.ID || back[0].Parent != back[1].ID || back[0].Service != "executor" || back[0].Trace != call.Trace || call.Kind != Client {
		t.Errorf("got %+v of %+v", back, call)
	}
	if e := back[0].Error; len(e) > maxText+len("…") || back[0].Attributes["shim"] != "runc" {
		t.Errorf("got %+v", back[0])
	}
	// A peer that cannot be trusted.
	now := time.Now()
	good := Span{ID: "00000000000000ab", Name: "good", Start: now, End: now}
	for name, change := range map[string]func(*Span){
		"an id":        func(s *Span) { s.ID = "x" },
		"no name":      func(s *Span) { s.Name = "" },
		"backwards":    func(s *Span) { s.End = now.Add(-time.Second) },
		"no beginning": func(s *Span) { s.Start = time.Time{} },
		"attributes": func(s *Span) {
			s.Attributes = map[string]string{}
			for i := range maxAttrs + 1 {
				s.Attributes[fmt.Sprint(i)] = ""
			}
		},
	} {
		_, back := called(t, func(context.Context) []byte {
			bad := good
			change(&bad)
			body, _ := json.Marshal([]Span{bad})
			return body
		})
		if len(back) != 0 {
			t.Errorf("%s: got %+v", name, back)
		}
	}
	call, back = called(t, func(context.Context) []byte {
		stranger := good
		stranger.Parent, stranger.Kind = "00000000000000cd", 77
		body, _ := json.Marshal([]Span{stranger})
		return body
	})
	if len(back) != 1 || back[0].Parent != call.ID || back[0].Kind != Internal {
		t.Errorf("a parent that nobody knows: got %+v", back)
	}
	for _, body := range []string{"nonsense", "{}", "[" + strings.Repeat("{},", maxSpans+1) + "{}]", strings.Repeat(" ", maxBytes+1)} {
		if _, back := called(t, func(context.Context) []byte { return []byte(body) }); len(back) != 0 {
			t.Errorf("%.20s: got %+v", body, back)
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(`[{"id":"00000000000000ab","name":"x","kind":1,"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:01Z"}]`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		call, back := called(t, func(context.Context) []byte { return body })
		for _, s := range back {
			if s.Trace != call.Trace || !isID(s.ID, 16) || !isID(s.Parent, 16) || s.ID == call.ID || len(s.Name) > maxText+3 {
				t.Errorf("got %+v", s)
			}
		}
	})
}
