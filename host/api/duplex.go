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
	"sync"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// duplexStream is the type of replies on a connection that is no longer HTTP.
type duplexStream struct{}

// streamProtocol is what such a connection speaks, with the version. Both ends name it in
// the header Upgrade.
const streamProtocol = "davit-stream/1"

const (
	// pingEvery is how often the host sends a message if only to show that it is there.
	pingEvery = 20 * time.Second
	// inputWindow is how much input a client may have sent that the host has not
	// acknowledged, in bytes.
	inputWindow = 256 << 10
	// maxControls is how many messages of a client may wait.
	maxControls = 1000
	// partingTime is how long a client may take to hang up after the end.
	partingTime = 10 * time.Second
)

// errClientGone ends the requests of a client that has hung up.
var errClientGone = executor.Errorf(executor.Canceled, "the client has gone")

// Stopping reports whether ctx ended since the host stops: its clients come back.
func Stopping(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), errStopping)
}

// duplex is the host's end of a connection with an attached client.
type duplex struct {
	w      http.ResponseWriter
	ctx    context.Context // of the request; ends with the client
	cancel context.CancelCauseFunc

	conn net.Conn // nil before the upgrade
	wg   sync.WaitGroup

	writing sync.Mutex
	enc     *encoder

	mu       sync.Mutex
	changed  bell
	input    []byte
	inputEnd bool
	received int64 // how much input has come, and how much of it the process was given
	given    int64
	controls []Control
	sent     outputAck
	acked    outputAck
}

func newDuplex(w http.ResponseWriter, r *http.Request) (*duplex, error) {
	if got := r.Header.Get("Upgrade"); got != streamProtocol {
		w.Header().Set("Upgrade", streamProtocol)
		return nil, invalid("%s %s needs a connection that is upgraded to %s (the header says %q)", r.Method, r.URL.Path, streamProtocol, got)
	}
	d := &duplex{w: w}
	d.ctx, d.cancel = context.WithCancelCause(r.Context())
	return d, nil
}

// streams returns what the host needs to serve the client, which has the output up to from.
func (d *duplex) streams(from Cursor) Streams {
	return Streams{
		From: from, Begun: d.begun, Output: d.output, Dropped: d.dropped,
		Input: d.nextInput, Taken: d.taken, Control: d.nextControl,
	}
}

// begun upgrades the connection.
func (d *duplex) begun(b StreamsBegun) error {
	conn, buffered, err := http.NewResponseController(d.w).Hijack()
	if err != nil {
		return executor.Errorf(executor.Internal, "upgrade: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	d.conn, d.enc = conn, newEncoder(conn)
	d.sent = outputAck{b.Cursor.Stdout, b.Cursor.Stderr}
	d.acked, d.received, d.given = d.sent, b.Input, b.Input
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", streamProtocol); err != nil {
		return err
	}
	// Read from the connection itself: the server's reader would end the request at its end,
	// and not say why.
	early, _ := buffered.Peek(buffered.Reader.Buffered())
	in := bufio.NewReader(io.MultiReader(bytes.NewReader(early), conn))
	d.wg.Go(func() { d.cancel(d.receive(in)) })
	d.wg.Go(d.ping)
	return d.send(message{Begun: &b})
}

// finish sends the end of the process, or the error, and ends the connection. It returns an
// error that can still become the response.
func (d *duplex) finish(end *End, err error) error {
	if d.conn == nil {
		return err
	}
	last := message{End: end}
	switch why := context.Cause(d.ctx); {
	case errors.Is(err, ErrDetached):
		last = message{Detached: true}
	case err != nil && d.ctx.Err() != nil && executor.CodeOf(why) != "":
		last = message{Error: failureOf(why)}
	case err != nil:
		last = message{Error: failureOf(err)}
	}
	_ = d.conn.SetDeadline(time.Now().Add(partingTime))
	_ = d.send(last) // fails if the client has gone
	// The client hangs up when it has that.
	d.cancel(nil)
	d.wg.Wait()
	return nil
}

// close ends the connection.
func (d *duplex) close() {
	d.cancel(nil)
	if d.conn != nil {
		_ = d.conn.Close()
	}
	d.wg.Wait()
}
