package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// TestRunStreams stalls the host until the client has what came before.
func TestRunStreams(t *testing.T) {
	seen := make(chan string)
	code := 7
	container := Container{ID: "c1", Command: []string{strings.Repeat("x", maxFrame)}} // a message of two frames
	c, _ := serveFake(t, &fake{run: func(_ context.Context, _ ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
		for _, step := range []struct {
			do   func() error
			want string
		}{
			{func() error { return started(container) }, "started c1"},
			{func() error { return sink(Stdout, []byte("a")) }, "stdout a"},
			{func() error { return sink(Stderr, []byte("b")) }, "stderr b"},
			{func() error { return sink(Stdout, []byte{}) }, ""},
			{func() error { return sink(Stdout, []byte("c\n")) }, "stdout c\n"},
		} {
			if err := step.do(); err != nil {
				return nil, err
			}
			if step.want == "" {
				continue
			}
			select {
			case got := <-seen:
				if got != step.want {
					return nil, fmt.Errorf("got %q, want %q", got, step.want)
				}
			case <-time.After(time.Minute):
				return nil, fmt.Errorf("the client never saw %q", step.want)
			}
		}
		return &End{Exit: executor.Exit{Code: &code}}, nil
	}})
	end, err := c.Run(t.Context(), ContainerOptions{Rootfs: "/"},
		func(c Container) error { seen <- "started " + c.ID; return nil },
		func(s Stream, data []byte) error { seen <- s.String() + " " + string(data); return nil })
	if err != nil || end.Code == nil || *end.Code != 7 {
		t.Errorf("got %+v, %v", end, err)
	}
}

func TestRunErrors(t *testing.T) {
	f := &fake{}
	c, stop := serveFake(t, f)
	running := func(started func(Container) error) { _ = started(Container{ID: "c1"}) }
	t.Run("before the start", func(t *testing.T) {
		f.run = func(context.Context, ContainerOptions, func(Container) error, Sink) (*End, error) {
			return nil, executor.Errorf(executor.CommandNotFound, "no such command")
		}
		if _, err := c.Run(t.Context(), ContainerOptions{}, nil, nil); !errors.Is(err, executor.CommandNotFound) {
			t.Errorf("got %v", err)
		}
		if got := raw(t, c, "POST", "/v1/run", "{}"); got.status != 422 {
			t.Errorf("got status %d", got.status)
		}
	})
	t.Run("after the start", func(t *testing.T) {
		f.run = func(_ context.Context, _ ContainerOptions, started func(Container) error, _ Sink) (*End, error) {
			running(started)
			return nil, executor.Errorf(executor.NotFound, "gone")
		}
		if _, err := c.Run(t.Context(), ContainerOptions{}, nil, nil); !errors.Is(err, executor.NotFound) || err.Error() != "gone" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("of the caller", func(t *testing.T) {
		gone := make(chan struct{})
		f.run = func(ctx context.Context, _ ContainerOptions, started func(Container) error, _ Sink) (*End, error) {
			running(started)
			<-ctx.Done()
			close(gone)
			return nil, ctx.Err()
		}
		mine := errors.New("mine")
		if _, err := c.Run(t.Context(), ContainerOptions{}, func(Container) error { return mine }, nil); !errors.Is(err, mine) {
			t.Errorf("got %v", err)
		}
		<-gone
	})
	t.Run("of a stopping host", func(t *testing.T) {
		f.run = func(ctx context.Context, _ ContainerOptions, started func(Container) error, _ Sink) (*End, error) {
			running(started)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		_, err := c.Run(t.Context(), ContainerOptions{}, func(Container) error { go stop(); return nil }, nil)
		if !errors.Is(err, executor.Unavailable) || err.Error() != errStopping.Error() {
			t.Errorf("got %v", err)
		}
	})
}

func TestRunOfAHostThatDies(t *testing.T) {
	c, _ := serveFake(t, &fake{run: func(_ context.Context, _ ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
		_ = started(Container{ID: "c1"})
		panic(http.ErrAbortHandler)
	}})
	if end, err := c.Run(t.Context(), ContainerOptions{}, nil, nil); !errors.Is(err, executor.OutcomeUnknown) {
		t.Errorf("got %+v, %v; want outcome unknown", end, err)
	}
}

// TestRunThroughput moves large chunks, to see that none is missing or split wrong.
func TestRunThroughput(t *testing.T) {
	const chunks, size = 200, 64 << 10
	chunk := []byte(strings.Repeat("0123456789abcdef", size/16))
	c, _ := serveFake(t, &fake{run: func(_ context.Context, _ ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
		_ = started(Container{})
		for range chunks {
			if err := sink(Stdout, chunk); err != nil {
				return nil, err
			}
		}
		return &End{}, nil
	}})
	got := 0
	if _, err := c.Run(t.Context(), ContainerOptions{}, nil, func(_ Stream, data []byte) error { got += len(data); return nil }); err != nil || got != chunks*size {
		t.Errorf("got %d bytes, %v; want %d", got, err, chunks*size)
	}
}

func TestLogs(t *testing.T) {
	f := &fake{}
	c, _ := serveFake(t, f)
	for _, want := range []LogOptions{
		{},
		{Tail: new(0), Follow: true},
		{Tail: new(5), Stdout: true},
		{Stderr: true, Follow: true},
		{Tail: new(2), From: Cursor{Attempt: 3, Stdout: 1 << 40, Stderr: 7}},
		{Since: time.Unix(5, 7).UTC(), Until: time.Unix(6, 0).UTC(), Timestamps: true},
	} {
		var got LogOptions
		f.logs = func(_ context.Context, ref string, o LogOptions, sink Sink) error {
			err := errors.Join(sink(Stderr, []byte("e")), o.Dropped(Stdout, 9), sink(Stdout, []byte(ref)))
			got, got.Dropped, got.Begun = o, nil, nil
			return err
		}
		var out strings.Builder
		opts := want
		opts.Dropped = func(s Stream, n int64) error { fmt.Fprintf(&out, "%s -%d,", s, n); return nil }
		err := c.Logs(t.Context(), "web", opts, func(s Stream, data []byte) error { fmt.Fprintf(&out, "%s %s,", s, data); return nil })
		if err != nil || !reflect.DeepEqual(got, want) || out.String() != "stderr e,stdout -9,stdout web," {
			t.Errorf("%+v: host got %+v, output %q, %v", want, got, out.String(), err)
		}
	}
	f.logs = func(context.Context, string, LogOptions, Sink) error { return nil }
	if err := c.Logs(t.Context(), "web", LogOptions{}, nil); err != nil {
		t.Errorf("no output: %v", err)
	}
	f.logs = func(context.Context, string, LogOptions, Sink) error {
		return executor.Errorf(executor.NotFound, "no such container")
	}
	if err := c.Logs(t.Context(), "web", LogOptions{}, nil); !errors.Is(err, executor.NotFound) {
		t.Errorf("got %v", err)
	}
}

func TestHangUpEndsTheLogs(t *testing.T) {
	over := make(chan struct{})
	c, _ := serveFake(t, &fake{logs: func(ctx context.Context, _ string, _ LogOptions, sink Sink) error {
		_ = sink(Stdout, []byte("x"))
		<-ctx.Done()
		close(over)
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Logs(ctx, "x", LogOptions{Follow: true}, func(Stream, []byte) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	<-over
}

func TestEvents(t *testing.T) {
	number := func(n uint64) *uint64 { return &n }
	f := &fake{oldest: 3, newest: 9}
	f.events = func(ctx context.Context, after uint64) iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			if after < f.oldest {
				yield(Event{}, executor.Errorf(executor.FailedPrecondition, "gone"))
				return
			}
			for seq := after + 1; seq <= 11; seq++ { // 10 and 11 come later
				if !yield(Event{Seq: seq, Type: "t", Data: map[string]string{"k": "<"}}, nil) {
					return
				}
			}
			<-ctx.Done()
			yield(Event{}, ctx.Err())
		}
	}
	c, stop := serveFake(t, f)
	for _, tt := range []struct {
		name string
		opts EventOptions
		want string
	}{
		{"all that are kept", EventOptions{}, "4 5 6 7 8 9"},
		{"after", EventOptions{After: number(7)}, "8 9"},
		{"none new", EventOptions{After: number(9)}, ""},
		{"tail", EventOptions{Tail: number(2)}, "8 9"},
		{"tail of none", EventOptions{Tail: number(0)}, ""},
		{"more than are kept", EventOptions{Tail: number(100)}, "4 5 6 7 8 9"},
		{"gone", EventOptions{After: number(0)}, "failed_precondition"},
		{"follow", EventOptions{Tail: number(1), Follow: true}, "9 10 11"},
		{"only new ones", EventOptions{Tail: number(0), Follow: true}, "10 11"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for e, err := range c.Events(t.Context(), tt.opts) {
				if err != nil {
					got = append(got, string(executor.CodeOf(err)))
					break
				}
				if e.Type != "t" || e.Data["k"] != "<" {
					t.Errorf("got %+v", e)
				}
				got = append(got, fmt.Sprint(e.Seq))
				if e.Seq == 11 {
					break
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	var last error
	for e, err := range c.Events(t.Context(), EventOptions{Follow: true}) {
		last = err
		if e.Seq == 11 {
			go stop()
		}
	}
	if last == nil || last.Error() != errStopping.Error() {
		t.Errorf("host stops: got %v", last)
	}
}

// BenchmarkRunStream shows what a stream costs, beside the host's own work.
func BenchmarkRunStream(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			chunk := make([]byte, size)
			c, _ := serveFake(b, &fake{run: func(_ context.Context, _ ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
				_ = started(Container{})
				for range b.N {
					if err := sink(Stdout, chunk); err != nil {
						return nil, err
					}
				}
				return &End{}, nil
			}})
			b.SetBytes(int64(size))
			b.ResetTimer()
			if _, err := c.Run(b.Context(), ContainerOptions{}, nil, func(Stream, []byte) error { return nil }); err != nil {
				b.Fatal(err)
			}
		})
	}
}
