package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/davit-run/davit/shared/executor"
)

// wish is a message of an attached client. One member is set.
type wish struct {
	Resize     *executor.TerminalSize `json:"resize,omitempty"`
	Redraw     *executor.TerminalSize `json:"redraw,omitempty"`
	Signal     signalName             `json:"signal,omitzero"`
	CloseInput bool                   `json:"close_input,omitempty"`
	Detach     bool                   `json:"detach,omitempty"`
	// Ack says how much output the client has, from the beginning.
	Ack *outputAck `json:"ack,omitempty"`
	// Ping needs no answer.
	Ping bool `json:"ping,omitempty"`
}

type outputAck struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// receive reads what the client sends, and returns why it is over. It never waits for the
// process.
func (d *duplex) receive(r *bufio.Reader) error {
	dec := newDecoder(r)
	dec.last = stdin
	for {
		s, data, err := dec.next()
		if err != nil && !errors.Is(err, errNoFrame) {
			return errClientGone
		}
		switch {
		case err != nil:
		case s == stdin:
			err = d.pushInput(data)
		case s == control:
			var w wish
			if err = json.Unmarshal(data, &w); err == nil {
				err = d.take(w)
			}
		default:
			err = fmt.Errorf("a client sends no %s", s)
		}
		if err != nil {
			return invalid("frame of the client: %w", err)
		}
	}
}

func (d *duplex) pushInput(data []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.received += int64(len(data)); {
	case d.received-d.given > inputWindow:
		return fmt.Errorf("more than %d bytes of input were sent without an acknowledgement", inputWindow)
	case d.inputEnd:
		return errors.New("input after its end")
	}
	d.input = append(d.input, data...)
	d.changed.ring()
	return nil
}

// take does what a message asks for, or leaves it to the host.
func (d *duplex) take(w wish) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.changed.ring()
	switch {
	case w.Ack != nil:
		a := *w.Ack
		if a.Stdout > d.sent.Stdout || a.Stderr > d.sent.Stderr || a.Stdout < d.acked.Stdout || a.Stderr < d.acked.Stderr {
			return fmt.Errorf("%+v was acknowledged, %+v was sent", a, d.sent)
		}
		d.acked = a
	case w.CloseInput:
		d.inputEnd = true
	case w.Ping:
	case len(d.controls) >= maxControls:
		return fmt.Errorf("more than %d messages wait", maxControls)
	case w.Resize != nil:
		if err := w.Resize.Validate(); err != nil {
			return err
		}
		d.controls = append(d.controls, Control{Resize: w.Resize})
	case w.Redraw != nil:
		if err := w.Redraw.Validate(); err != nil {
			return err
		}
		d.controls = append(d.controls, Control{Redraw: w.Redraw})
	case w.Signal != 0:
		d.controls = append(d.controls, Control{Signal: executor.Signal(w.Signal)})
	case w.Detach:
		d.controls = append(d.controls, Control{Detach: true})
	default:
		return errors.New("a message without a member that is known here")
	}
	return nil
}

// nextInput implements Streams.Input.
func (d *duplex) nextInput(ctx context.Context) (data []byte, err error) {
	err = d.await(ctx, func() bool {
		data, d.input = d.input, nil
		return len(data) > 0 || d.inputEnd
	})
	if err == nil && len(data) == 0 {
		err = io.EOF
	}
	return data, err
}

// nextControl implements Streams.Control.
func (d *duplex) nextControl(ctx context.Context) (c Control, err error) {
	err = d.await(ctx, func() bool {
		if len(d.controls) == 0 {
			return false
		}
		c, d.controls = d.controls[0], d.controls[1:]
		return true
	})
	return c, err
}

// await waits until ok, which is called with the lock, returns true.
func (d *duplex) await(ctx context.Context, ok func() bool) error {
	for {
		d.mu.Lock()
		changed, done := d.changed.wait(), ok()
		d.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
