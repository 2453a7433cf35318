package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// brittle makes a fake whose connections break at random: it has the output of one
// attempt, and returns it in small pieces.
func brittle(stdout, stderr string, breaks int32) *fake {
	var broken atomic.Int32
	send := func(opts LogOptions, sink Sink) error {
		die := broken.Add(1) <= breaks
		if err := opts.Begun(opts.From); err != nil {
			return err
		}
		rest := map[Stream]string{Stdout: stdout[opts.From.Stdout:], Stderr: stderr[opts.From.Stderr:]}
		within := map[Stream]bool{}
		for rest[Stdout] != "" || rest[Stderr] != "" {
			if die && rand.N(6) == 0 {
				panic(http.ErrAbortHandler)
			}
			s := Stdout + Stream(rand.N(2))
			piece := rest[s][:rand.N(len(rest[s])/4+2)%(len(rest[s])+1)]
			rest[s] = rest[s][len(piece):]
			if opts.Timestamps {
				var stamped strings.Builder
				for line := range strings.Lines(piece) {
					if !within[s] {
						stamped.WriteString(time.Unix(7, 0).UTC().Format(TimestampLayout) + " ")
					}
					stamped.WriteString(line)
					within[s] = !strings.HasSuffix(line, "\n")
				}
				piece = stamped.String()
			}
			if err := sink(s, []byte(piece)); err != nil {
				return err
			}
		}
		if die {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	code := 9
	return &fake{
		run: func(_ context.Context, o ContainerOptions, started func(Container) error, sink Sink) (*End, error) {
			if err := started(Container{ID: "c1"}); err != nil {
				return nil, err
			}
			return &End{Exit: executor.Exit{Code: &code}}, send(LogOptions{Begun: func(Cursor) error { return nil }}, sink)
		},
		attach: func(_ context.Context, ref string, opts LogOptions, sink Sink) (*End, error) {
			if ref != "c1" || opts.From.Attempt != 1 {
				return nil, fmt.Errorf("attach to %s, attempt %d", ref, opts.From.Attempt)
			}
			return &End{Exit: executor.Exit{Code: &code}}, send(opts, sink)
		},
		logs: func(_ context.Context, _ string, opts LogOptions, sink Sink) error { return send(opts, sink) },
	}
}

// TestOutputGoesOn checks that no byte is missing or doubled, however often the connection
// breaks.
func TestOutputGoesOn(t *testing.T) {
	var stdout, stderr strings.Builder
	for i := range 200 {
		fmt.Fprintf(&stdout, "out %d\n", i)
		fmt.Fprintf(&stderr, "err %d %s\n", i, strings.Repeat("x", i%7))
	}
	for _, stamps := range []bool{false, true} {
		t.Run(fmt.Sprintf("timestamps %t", stamps), func(t *testing.T) {
			c, _ := serveFake(t, brittle(stdout.String(), stderr.String(), 30))
			c.Patience = time.Minute
			gone, back := 0, 0
			c.Gone, c.Back = func(error) { gone++ }, func() { back++ }
			got := map[Stream]*strings.Builder{Stdout: {}, Stderr: {}}
			sink := func(s Stream, data []byte) error { got[s].Write(data); return nil }
			check := func(what string, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				for s, want := range map[Stream]string{Stdout: stdout.String(), Stderr: stderr.String()} {
					text := got[s].String()
					if stamps {
						stamp := time.Unix(7, 0).UTC().Format(TimestampLayout) + " "
						if strings.Count(text, stamp) != strings.Count(want, "\n") {
							t.Errorf("%s: %s has %d timestamps, want %d", what, s, strings.Count(text, stamp), strings.Count(want, "\n"))
						}
						text = strings.ReplaceAll(text, stamp, "")
					}
					if text != want {
						t.Errorf("%s: %s is %d bytes, want %d, all the same", what, s, len(text), len(want))
					}
					got[s].Reset()
				}
			}
			check("logs", c.Logs(t.Context(), "c1", LogOptions{Timestamps: stamps}, sink))
			if gone == 0 || gone != back {
				t.Errorf("the host went %d times and came back %d times", gone, back)
			}
			if stamps {
				return
			}
			c, _ = serveFake(t, brittle(stdout.String(), stderr.String(), 30))
			c.Patience = time.Minute
			starts := 0
			end, err := c.Run(t.Context(), ContainerOptions{}, func(Container) error { starts++; return nil }, sink)
			check("run", err)
			if end.Code == nil || *end.Code != 9 || starts != 1 {
				t.Errorf("run: got %+v after %d starts", end, starts)
			}
		})
	}
}

// TestRequestsAreRepeatedAsThemselves drops the answer to requests that make a
// container: the next one has the same id.
func TestRequestsAreRepeatedAsThemselves(t *testing.T) {
	var mu sync.Mutex // a connection that broke orders nothing
	var ids []string
	seen := func(o ContainerOptions) {
		mu.Lock()
		defer mu.Unlock()
		if ids = append(ids, o.RequestID); len(ids) < 3 {
			panic(http.ErrAbortHandler)
		}
	}
	made := func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { ids = nil }()
		return ids
	}
	c, _ := serveFake(t, &fake{
		create: func(_ context.Context, o ContainerOptions) (Container, error) {
			seen(o)
			return Container{ID: "c1"}, nil
		},
		run: func(_ context.Context, o ContainerOptions, started func(Container) error, _ Sink) (*End, error) {
			seen(o)
			return &End{}, started(Container{ID: "c1"})
		},
	})
	c.Patience = time.Minute
	for name, call := range map[string]func() error{
		"create": func() error { _, err := c.Create(t.Context(), ContainerOptions{}); return err },
		"run":    func() error { _, err := c.Run(t.Context(), ContainerOptions{}, nil, nil); return err },
	} {
		if err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if ids := made(); len(ids) != 3 || ids[0] == "" || ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("%s: got request ids %q, want one three times", name, ids)
		}
	}
	c.Patience = 0
	if _, err := c.Create(t.Context(), ContainerOptions{}); !errors.Is(err, executor.OutcomeUnknown) || len(made()) != 1 {
		t.Errorf("without patience: got %v, and not after one request", err)
	}
}

// TestEventsGoOn breaks after each event, and before the first.
func TestEventsGoOn(t *testing.T) {
	number := func(n uint64) *uint64 { return &n }
	f := &fake{oldest: 2, newest: 5}
	var first atomic.Bool
	f.events = func(ctx context.Context, after uint64) iter.Seq2[Event, error] {
		return func(yield func(Event, error) bool) {
			if !first.Load() {
				yield(Event{Seq: after + 1}, nil)
			}
			panic(http.ErrAbortHandler)
		}
	}
	c, _ := serveFake(t, f)
	c.Patience = time.Minute
	c.Gone = func(error) { first.Store(false); f.newest = 8 } // what happens meanwhile
	for _, tt := range []struct {
		name string
		opts EventOptions
		want string
	}{
		{"all", EventOptions{Follow: true}, "3 4 5 6 7 8 9"},
		{"only new ones", EventOptions{Tail: number(0), Follow: true}, "6 7 8 9"},
		{"after", EventOptions{After: number(4), Follow: true}, "5 6 7 8 9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first.Store(true)
			f.newest = 5
			var got []string
			for e, err := range c.Events(t.Context(), tt.opts) {
				if err != nil {
					t.Fatal(err)
				}
				if got = append(got, fmt.Sprint(e.Seq)); e.Seq == 9 {
					break
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// TestPatienceEnds waits for a host that does not come back.
func TestPatienceEnds(t *testing.T) {
	waiting := make(chan struct{}, 1)
	f := &fake{wait: func(ctx context.Context, _ string, _ int) (*End, error) {
		waiting <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	c, stop := serveFake(t, f)
	c.Patience = 300 * time.Millisecond
	go func() { <-waiting; _ = stop() }()
	if _, err := c.WaitAttempt(t.Context(), "x", 1); !errors.Is(err, executor.Unavailable) || !strings.Contains(err.Error(), "the host is stopping; it has not come back within 300ms") {
		t.Errorf("got %v", err)
	}
	if _, err := c.WaitAttempt(t.Context(), "x", 1); err == nil || !strings.Contains(err.Error(), "is `davit serve` running?") {
		t.Errorf("of no host at all: got %v", err)
	}

	c, stop = serveFake(t, f)
	c.Patience = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	c.Gone = func(error) { cancel() }
	go func() { <-waiting; _ = stop() }()
	if _, err := c.WaitAttempt(ctx, "x", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: got %v, want canceled", err)
	}
}

// TestWaitGoesOnBetweenItsRequests stops the host after it has said which attempt
// there is, and before it is asked to wait for that.
func TestWaitGoesOnBetweenItsRequests(t *testing.T) {
	socket := filepath.Join(shortDir(t), "davit.sock")
	listen := func() net.Listener {
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	first, second := listen(), http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI == "/v1/version" { // the client asks whether it is back
			_, _ = io.WriteString(w, `{}`)
			return
		}
		if want := "/v1/containers/c1/wait?attempt=2"; r.RequestURI != want {
			t.Errorf("got %s, want %s", r.RequestURI, want)
		}
		_, _ = io.WriteString(w, `{"code": 7, "attempt": 2}`)
	})}
	old := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = first.Close()
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, `{"id": "c1", "attempt": 2}`)
	})}
	go func() { _ = old.Serve(first) }()
	t.Cleanup(func() {
		_ = old.Close()
		_ = second.Close()
	})
	c := NewClient(socket)
	defer c.Close()
	c.Patience = time.Minute
	c.Gone = func(error) {
		l := listen()
		go func() { _ = second.Serve(l) }()
	}
	end, err := c.Wait(t.Context(), "web")
	if err != nil || end.Code == nil || *end.Code != 7 {
		t.Errorf("got %+v, %v, want code 7", end, err)
	}
}

func TestUnreachable(t *testing.T) {
	nobody := NewClient(filepath.Join(shortDir(t), "davit.sock"))
	defer nobody.Close()
	if err := nobody.Kill(t.Context(), "web", syscall.SIGINT); !Unreachable(err) {
		t.Errorf("without a host: %v", err)
	}
	c, _ := serveFake(t, &fake{kill: func(context.Context, string, executor.Signal) error {
		return executor.Errorf(executor.Unavailable, "the backend is down")
	}})
	if err := c.Kill(t.Context(), "web", syscall.SIGINT); err == nil || Unreachable(err) {
		t.Errorf("with a host: %v", err)
	}
}

// TestDyingHostIsNotBack: a host that is being killed accepts connections and says nothing on
// them. It is reported once that it is gone, and once that one is back.
func TestDyingHostIsNotBack(t *testing.T) {
	socket := filepath.Join(shortDir(t), "davit.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var dying atomic.Int32
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if dying.Add(1) <= 3 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{}`)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	c := NewClient(socket)
	defer c.Close()
	c.Patience = time.Minute
	gone, back := 0, 0
	c.Gone, c.Back = func(error) { gone++ }, func() { back++ }
	if err := c.retry(t.Context(), func() error { _, err := c.Version(t.Context()); return err }); err != nil || gone != 1 || back != 1 {
		t.Errorf("got %v; it was gone %d times and back %d times, want once", err, gone, back)
	}
}
