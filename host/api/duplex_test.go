package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/davit-run/davit/shared/executor"
)

// echo serves a client as a process would that writes what it reads, and ends with 3.
func echo(ctx context.Context, _ string, to Streams) (*End, error) {
	if err := to.Begun(StreamsBegun{Exec: &Exec{ID: "e"}}); err != nil {
		return nil, err
	}
	given := int64(0)
	for {
		data, err := to.Input(ctx)
		if errors.Is(err, io.EOF) {
			return &End{Exit: executor.Exit{Code: new(3)}}, nil
		}
		if err != nil {
			return nil, err
		}
		given += int64(len(data))
		if err := errors.Join(to.Taken(given), to.Output(Stdout, data)); err != nil {
			return nil, err
		}
	}
}

// TestAttached sends more than fits into any buffer, and gets it back.
func TestAttached(t *testing.T) {
	c, _ := serveFake(t, &fake{attached: echo})
	sent := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	for name, call := range map[string]func(context.Context, Streams) (*End, error){
		"exec": func(ctx context.Context, to Streams) (*End, error) {
			return c.ExecAttached(ctx, "web", ExecOptions{Args: []string{"cat"}}, to)
		},
		"attach": func(ctx context.Context, to Streams) (*End, error) {
			return c.AttachStreams(ctx, "web", AttachOptions{}, to)
		},
		"run": func(ctx context.Context, to Streams) (*End, error) {
			return c.RunStreams(ctx, ContainerOptions{Rootfs: "/"}, "", to)
		},
	} {
		var got bytes.Buffer
		end, err := call(t.Context(), Streams{
			Input:  InputFrom(bytes.NewReader(sent)),
			Output: func(_ Stream, data []byte) error { got.Write(data); return nil },
		})
		if err != nil || *end.Code != 3 || !bytes.Equal(got.Bytes(), sent) {
			t.Errorf("%s: got %d bytes of %d, %+v, %v", name, got.Len(), len(sent), end, err)
		}
	}
}

// TestAttachedControl passes all wishes on, in their order.
func TestAttachedControl(t *testing.T) {
	var got []string
	c, _ := serveFake(t, &fake{attached: func(ctx context.Context, ref string, to Streams) (*End, error) {
		if err := to.Begun(StreamsBegun{}); err != nil {
			return nil, err
		}
		for {
			w, err := to.Control(ctx)
			switch {
			case err != nil:
				return nil, err
			case w.Detach:
				got = append(got, ref)
				return nil, ErrDetached
			case w.Resize != nil:
				got = append(got, fmt.Sprintf("resize %d %d", w.Resize.Width, w.Resize.Height))
			case w.Redraw != nil:
				got = append(got, fmt.Sprintf("redraw %d %d", w.Redraw.Width, w.Redraw.Height))
			default:
				got = append(got, w.Signal.String())
			}
		}
	}})
	wishes := []Control{{Resize: &executor.TerminalSize{Width: 80, Height: 24}}, {Signal: 15}, {Redraw: &executor.TerminalSize{Width: 2, Height: 1}}, {Detach: true}}
	_, err := c.ExecAttached(t.Context(), "web", ExecOptions{Args: []string{"a", "b"}}, Streams{Control: func(ctx context.Context) (Control, error) {
		if len(wishes) == 0 {
			<-ctx.Done()
			return Control{}, ctx.Err()
		}
		w := wishes[0]
		wishes = wishes[1:]
		return w, nil
	}})
	if want := []string{"resize 80 24", "terminated", "redraw 2 1", "web a b"}; !slices.Equal(got, want) || !errors.Is(err, ErrDetached) {
		t.Errorf("the host got %q, want %q; %v", got, want, err)
	}
}

// TestAttachedAgain breaks connections in the middle of both streams. Nothing is lost or
// doubled.
func TestAttachedAgain(t *testing.T) {
	sent := []byte(strings.Repeat("a line of input\n", 40_000))
	var given, taken []byte // by the process, by the client
	rounds := 0
	f := &fake{attached: func(ctx context.Context, _ string, to Streams) (*End, error) {
		rounds++
		if to.From.Stdout > int64(len(given)) {
			return nil, executor.Errorf(executor.Internal, "the client has %d bytes of %d", to.From.Stdout, len(given))
		}
		if err := to.Begun(StreamsBegun{Cursor: Cursor{Stdout: to.From.Stdout}, Input: int64(len(given))}); err != nil {
			return nil, err
		}
		if late := given[to.From.Stdout:]; len(late) > 0 {
			if err := to.Output(Stdout, late); err != nil {
				return nil, err
			}
		}
		for n := 0; ; n++ {
			data, err := to.Input(ctx)
			if errors.Is(err, io.EOF) {
				return &End{Exit: executor.Exit{Code: new(0)}}, nil
			}
			if err != nil {
				return nil, err
			}
			given = append(given, data...)
			switch {
			case rounds < 6 && n == rounds:
				panic(http.ErrAbortHandler) // what was given is not acknowledged
			case rounds < 12 && n == rounds:
				_ = to.Taken(int64(len(given)))
				panic(http.ErrAbortHandler)
			}
			if err := errors.Join(to.Taken(int64(len(given))), to.Output(Stdout, data)); err != nil {
				return nil, err
			}
		}
	}}
	c, _ := serveFake(t, f)
	c.Patience = 1 << 40
	small := func(r io.Reader) io.Reader { return io.MultiReader(r) }
	_, err := c.ExecAttached(t.Context(), "web", ExecOptions{Args: []string{"cat"}}, Streams{
		Input:  InputFrom(small(bytes.NewReader(sent))),
		Output: func(_ Stream, data []byte) error { taken = append(taken, data...); return nil },
	})
	if err != nil || !bytes.Equal(given, sent) || !bytes.Equal(taken, sent) || rounds < 2 {
		t.Errorf("the process got %d bytes, and the client %d, of %d, in %d rounds; %v", len(given), len(taken), len(sent), rounds, err)
	}
}

// TestSizeIsSetAgain: a host may die before it has set the size that it was asked for. The next
// one is asked for the last size.
func TestSizeIsSetAgain(t *testing.T) {
	var got []string
	rounds := 0
	c, _ := serveFake(t, &fake{attached: func(ctx context.Context, _ string, to Streams) (*End, error) {
		rounds++
		if err := to.Begun(StreamsBegun{}); err != nil {
			return nil, err
		}
		w, err := to.Control(ctx)
		if err != nil || w.Resize == nil {
			return nil, fmt.Errorf("got %+v, %w", w, err)
		}
		if rounds == 1 {
			panic(http.ErrAbortHandler)
		}
		got = append(got, fmt.Sprintf("%d %d", w.Resize.Width, w.Resize.Height))
		return &End{Exit: executor.Exit{Code: new(0)}}, nil
	}})
	c.Patience = 1 << 40
	asked := false
	_, err := c.AttachStreams(t.Context(), "web", AttachOptions{}, Streams{Control: func(ctx context.Context) (Control, error) {
		if asked {
			<-ctx.Done()
			return Control{}, ctx.Err()
		}
		asked = true
		return Control{Resize: &executor.TerminalSize{Width: 100, Height: 30}}, nil
	}})
	if err != nil || !slices.Equal(got, []string{"100 30"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestAttachedErrors passes errors on, before and after the beginning.
func TestAttachedErrors(t *testing.T) {
	f := &fake{}
	c, stop := serveFake(t, f)
	call := func(to Streams) error {
		_, err := c.ExecAttached(t.Context(), "web", ExecOptions{Args: []string{"cat"}}, to)
		return err
	}
	f.attached = func(context.Context, string, Streams) (*End, error) {
		return nil, executor.Errorf(executor.CommandNotFound, "no such command")
	}
	if err := call(Streams{}); !errors.Is(err, executor.CommandNotFound) {
		t.Errorf("before the beginning: %v", err)
	}
	f.attached = func(_ context.Context, _ string, to Streams) (*End, error) {
		return nil, errors.Join(to.Begun(StreamsBegun{}), executor.Errorf(executor.NotFound, "gone"))
	}
	if err := call(Streams{}); !errors.Is(err, executor.NotFound) {
		t.Errorf("after the beginning: %v", err)
	}
	gone := make(chan error, 1)
	f.attached = func(ctx context.Context, _ string, to Streams) (*End, error) {
		err := to.Begun(StreamsBegun{})
		if err == nil {
			<-ctx.Done()
			err = context.Cause(ctx)
		}
		gone <- err
		return nil, err
	}
	mine := errors.New("mine")
	if err := call(Streams{Input: func(context.Context) ([]byte, error) { return nil, mine }}); !errors.Is(err, mine) {
		t.Errorf("of the caller's input: %v", err)
	}
	if err := <-gone; !errors.Is(err, errClientGone) {
		t.Errorf("the host saw %v", err)
	}
	var wg sync.WaitGroup
	err := call(Streams{Begun: func(StreamsBegun) error { wg.Go(func() { _ = stop() }); return nil }})
	if !errors.Is(err, executor.Unavailable) {
		t.Errorf("of a host that stops: %v", err)
	}
	if err := <-gone; !errors.Is(err, errStopping) {
		t.Errorf("the host saw %v", err)
	}
	wg.Wait()
}

// TestBadFrames sends what no client sends. The answer says what is wrong.
func TestBadFrames(t *testing.T) {
	c, _ := serveFake(t, &fake{attached: func(ctx context.Context, _ string, to Streams) (*End, error) {
		if err := to.Begun(StreamsBegun{}); err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	frame := func(s Stream, data string) []byte {
		var b bytes.Buffer
		_ = newEncoder(&b).write(s, []byte(data))
		return b.Bytes()
	}
	for want, sent := range map[string][]byte{
		"sends no stdout":         frame(Stdout, "x"),
		"header of a frame: 0700": {7, 0, 0, 0, 0, 0, 0, 1, 'x'},                    // a kind that there is not
		"header of a frame: 0300": {byte(stdin), 0, 0, 0, 0, 0x7f, 0xff, 0xff, 'x'}, // too long
		"header of a frame: 4745": []byte("GET /v1/containers HTTP/1.1"),
		"without a member":        frame(control, "{}"),
		"invalid character":       frame(control, "x"),
		"was acknowledged":        frame(control, `{"ack":{"stdout":5,"stderr":0}}`),
		"0 columns":               frame(control, `{"resize":{"width":0,"height":5}}`),
		"is not a signal":         frame(control, `{"signal":"NO"}`),
		"after its end":           append(frame(control, `{"close_input":true}`), frame(stdin, "x")...),
		"without an acknowledge":  frame(stdin, strings.Repeat("x", inputWindow+1)),
		"messages wait":           bytes.Repeat(frame(control, `{"signal":"HUP"}`), maxControls+1),
	} {
		if got := exchange(t, c, streamProtocol, sent); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := exchange(t, c, "davit-stream/0", nil); !strings.Contains(got, "400 Bad Request") || !strings.Contains(got, "upgraded to "+streamProtocol) {
		t.Errorf("of another version: got %q", got)
	}
}

// exchange makes a request by hand, and returns all that the host sends.
func exchange(t *testing.T, c *Client, protocol string, frames []byte) string {
	t.Helper()
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/containers/web/streams HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
	r := bufio.NewReader(conn)
	var got bytes.Buffer
	for { // the header
		line, err := r.ReadString('\n')
		got.WriteString(line)
		if err != nil || line == "\r\n" {
			break
		}
	}
	if _, err := conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.UnixConn).CloseWrite()
	_, _ = got.ReadFrom(r)
	return got.String()
}
