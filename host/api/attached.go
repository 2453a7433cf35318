package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/davit-run/davit/shared/executor"
)

// attached is a client that is attached to a process, over as many connections as it takes.
type attached struct {
	to   Streams
	at   Cursor // what has come
	once bool   // it was attached before
	end  *End

	mu      sync.Mutex
	changed bell
	// input is what the process may not have been given yet, from the offset base on.
	input    []byte
	base     int64
	inputEnd bool
	controls []Control
	size     *executor.TerminalSize // that was asked for last
	failed   error                  // of Input
}

// attachTo makes the request that attaches the caller to a process, until the process has
// ended. open begins a connection for the output from a position on.
func (c *Client) attachTo(ctx context.Context, to Streams, open func(ctx context.Context, at Cursor) (*http.Response, error)) (*End, error) {
	a := &attached{to: to, at: to.From}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	err := c.retry(ctx, func() error {
		return a.connect(ctx, c, open, func() {
			wg.Go(func() { a.pumpInput(ctx) })
			wg.Go(func() { a.pumpControl(ctx) })
		})
	})
	if err == nil && a.end == nil {
		err = executor.Errorf(executor.Internal, "the host's answer ended without the process's end")
	}
	return a.end, err
}

// connect serves one connection.
func (a *attached) connect(ctx context.Context, c *Client, open func(context.Context, Cursor) (*http.Response, error), start func()) error {
	resp, err := open(ctx, a.at)
	if err != nil {
		return err
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		_ = resp.Body.Close()
		return executor.Errorf(executor.Internal, "the host's answer is no connection")
	}
	over, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(over, func() { _ = conn.Close() })
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	defer conn.Close()
	defer cancel()
	out := &sender{enc: newEncoder(conn)}
	sink := func(s Stream, data []byte) error { return a.take(s, data, out) }
	err = readFrames(bufio.NewReader(conn), sink, func(m message) error {
		if m.Begun != nil {
			again := a.once
			if err := a.begin(*m.Begun, start); err != nil {
				return err
			}
			if again {
				a.resize()
			}
			wg.Go(func() { a.send(over, cancel, *m.Begun, out) })
			return nil
		}
		return a.control(m, out)
	})
	if a.end != nil {
		return nil
	}
	a.mu.Lock()
	failed := a.failed
	a.mu.Unlock()
	broken, cut := errors.AsType[*cutError](err)
	switch {
	case failed != nil:
		return failed
	case cut:
		return c.broken(ctx, http.MethodPost, broken.err)
	case err == nil:
		return c.broken(ctx, http.MethodPost, io.ErrUnexpectedEOF)
	}
	return err
}

// sender writes frames. It is safe for concurrent use.
type sender struct {
	mu  sync.Mutex
	enc *encoder
}

func (s *sender) write(stream Stream, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enc.write(stream, data)
}

func (s *sender) wish(w wish) error {
	line, err := encode(w)
	if err != nil {
		return err
	}
	return s.write(control, line)
}

// begin handles the first message of a connection.
func (a *attached) begin(b StreamsBegun, start func()) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.once {
		a.once, a.at, a.base = true, b.Cursor, b.Input
		if a.to.Begun != nil {
			if err := a.to.Begun(b); err != nil {
				return err
			}
		}
		start()
		return nil
	}
	if b.Cursor.Stdout != a.at.Stdout || b.Cursor.Stderr != a.at.Stderr {
		return executor.Errorf(executor.Internal, "the output goes on at %d and %d of stdout and stderr, and %d and %d had come: what is in between is lost", b.Cursor.Stdout, b.Cursor.Stderr, a.at.Stdout, a.at.Stderr)
	}
	if skip := b.Input - a.base; skip < 0 || skip > int64(len(a.input)) {
		return executor.Errorf(executor.Internal, "the input goes on at byte %d, and %d to %d are here", b.Input, a.base, a.base+int64(len(a.input)))
	}
	a.given(b.Input)
	return nil
}

// given forgets the input that the process has. The caller has the lock.
func (a *attached) given(offset int64) {
	if n := offset - a.base; n > 0 && n <= int64(len(a.input)) {
		a.input, a.base = a.input[n:], offset
		a.changed.ring()
	}
}

// take passes output on, and then acknowledges it.
func (a *attached) take(s Stream, data []byte, out *sender) error {
	if a.to.Output != nil {
		if err := a.to.Output(s, data); err != nil {
			return err
		}
	}
	a.forward(s, int64(len(data)))
	_ = out.wish(wish{Ack: &outputAck{a.at.Stdout, a.at.Stderr}}) // if it fails, reading does too
	return nil
}

func (a *attached) forward(s Stream, n int64) {
	if s == Stderr {
		a.at.Stderr += n
	} else {
		a.at.Stdout += n
	}
}

func (a *attached) control(m message, out *sender) error {
	switch {
	case m.Taken != nil:
		a.mu.Lock()
		a.given(*m.Taken)
		a.mu.Unlock()
		if a.to.Taken != nil {
			return a.to.Taken(*m.Taken)
		}
	case m.Dropped != nil:
		a.forward(m.Dropped.Stream, m.Dropped.Bytes)
		if a.to.Dropped != nil {
			if err := a.to.Dropped(m.Dropped.Stream, m.Dropped.Bytes); err != nil {
				return err
			}
		}
		_ = out.wish(wish{Ack: &outputAck{a.at.Stdout, a.at.Stderr}})
	case m.Detached:
		return ErrDetached
	case m.End != nil:
		a.end = m.End
		return errOver
	}
	return nil
}

// errOver ends the reading of a connection after the end of the process.
var errOver = errors.New("the process has ended")

// pumpInput collects the caller's input, no more than the host may be sent.
func (a *attached) pumpInput(ctx context.Context) {
	var err error
	for err == nil && a.to.Input != nil {
		var data []byte
		if data, err = a.to.Input(ctx); err != nil {
			break
		}
		for len(data) > 0 && err == nil {
			a.mu.Lock()
			changed := a.changed.wait()
			n := min(len(data), inputWindow-len(a.input))
			if n > 0 {
				a.input, data = append(a.input, data[:n]...), data[n:]
				a.changed.ring()
			}
			a.mu.Unlock()
			if n > 0 {
				continue
			}
			select {
			case <-changed:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case errors.Is(err, io.EOF):
		a.inputEnd = true
	case err != nil && ctx.Err() == nil:
		a.failed = fmt.Errorf("input: %w", err)
	}
	a.changed.ring()
}

// pumpControl collects what the caller wants to be done.
func (a *attached) pumpControl(ctx context.Context) {
	for a.to.Control != nil {
		c, err := a.to.Control(ctx)
		if err != nil {
			return
		}
		a.mu.Lock()
		a.controls = append(a.controls, c)
		switch {
		case c.Resize != nil:
			a.size = c.Resize
		case c.Redraw != nil:
			a.size = c.Redraw
		}
		a.changed.ring()
		a.mu.Unlock()
	}
}

// resize asks once more for the size that was asked for last: the host that has gone may not
// have set it.
func (a *attached) resize() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.size != nil {
		a.controls = append([]Control{{Resize: a.size}}, a.controls...)
	}
}

// send sends input and wishes on one connection, until it is over.
func (a *attached) send(ctx context.Context, hangUp func(), b StreamsBegun, out *sender) {
	next, closed := b.Input, b.InputClosed
	for {
		a.mu.Lock()
		changed := a.changed.wait()
		controls := a.controls
		a.controls = nil
		data := append([]byte(nil), a.input[max(0, next-a.base):]...)
		end := a.inputEnd && !closed
		failed := a.failed
		a.mu.Unlock()
		var err error
		for _, c := range controls {
			err = errors.Join(err, out.wish(wish{Resize: c.Resize, Redraw: c.Redraw, Signal: signalName(c.Signal), Detach: c.Detach}))
		}
		if len(data) > 0 && !closed {
			err = errors.Join(err, out.write(stdin, data))
		}
		next += int64(len(data))
		if end {
			err = errors.Join(err, out.wish(wish{CloseInput: true}))
			closed = true
		}
		if failed != nil {
			hangUp() // the host takes it for a client that has gone, and so it is
			return
		}
		if err != nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
