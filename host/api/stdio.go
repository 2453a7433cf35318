package api

import (
	"context"
	"io"

	"github.com/davit-run/davit/shared/executor"
)

// Streams is what a caller gives to be attached to the streams of a process. Its functions
// may be called at the same time, each by one goroutine. A nil function leaves out what it
// is for.
type Streams struct {
	// Begun is called once the process runs, before the others.
	Begun func(StreamsBegun) error
	// From is where the output begins: what the caller has from an earlier call. The zero
	// Cursor is the beginning of what is still there.
	From Cursor
	// Output receives the output. What it has returned from counts as received: it does
	// not come again, however the host ends.
	Output Sink
	// Dropped is called for output that is not kept any more.
	Dropped func(s Stream, bytes int64) error
	// Input returns the next piece of the process's input, and [io.EOF] at its end. It
	// returns when ctx ends. The piece is used until the next call.
	Input func(ctx context.Context) ([]byte, error)
	// Taken is called when the process has been given its input up to an offset.
	Taken func(offset int64) error
	// Control returns the next thing to do to the process. It returns when ctx ends; any
	// error means that nothing more will come.
	Control func(ctx context.Context) (Control, error)
}

// StreamsBegun describes the process that a caller is attached to.
type StreamsBegun struct {
	// Container or Exec is the process.
	Container *Container `json:"container,omitempty"`
	Exec      *Exec      `json:"exec,omitempty"`
	// Cursor is where the output begins, Input the offset at which the input goes on.
	// InputClosed means that the input has ended.
	Cursor      Cursor `json:"cursor"`
	Input       int64  `json:"input"`
	InputClosed bool   `json:"input_closed,omitempty"`
}

// Control is something that is done to an attached process. One member is set.
type Control struct {
	// Resize sets the size of its terminal.
	Resize *executor.TerminalSize
	// Signal is sent to it.
	Signal executor.Signal
	// Redraw sets the size, and makes a program that fills the screen draw it anew.
	Redraw *executor.TerminalSize
	// Detach ends the attachment with [ErrDetached]. The process goes on.
	Detach bool
}

// ErrDetached is the error of a caller that has detached itself.
var ErrDetached = executor.Errorf(executor.Canceled, "detached")

// InputFrom returns an Input that reads from r. A Read that does not return when ctx ends
// is abandoned, and what it reads is lost: use it for an input that nobody else reads.
func InputFrom(r io.Reader) func(ctx context.Context) ([]byte, error) {
	type piece struct {
		n   int
		err error
	}
	buf, pieces := make([]byte, 32<<10), make(chan piece, 1)
	reading := false
	var end error
	return func(ctx context.Context) ([]byte, error) {
		if end != nil {
			return nil, end
		}
		if !reading {
			reading = true
			go func() {
				n, err := r.Read(buf)
				pieces <- piece{n, err}
			}()
		}
		select {
		case p := <-pieces:
			reading, end = false, p.err
			if p.n == 0 {
				return nil, end
			}
			return buf[:p.n], nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
