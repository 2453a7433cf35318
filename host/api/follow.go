package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/davit-run/davit/shared/executor"
)

// follower reads output over as many connections as it needs.
type follower struct {
	// opts ask for what has not come yet.
	opts    LogOptions
	sink    Sink
	started func(Container) error
	end     *End
	begun   int // the attempt whose output comes, 0 before the first
	// within has the streams that stopped within a line. cut has those of them that begin
	// again there, with a timestamp that must be left out.
	within, cut [Stderr + 1]bool
}

// follow makes a request for output and reads the answer.
func (f *follower) follow(ctx context.Context, c *Client, open func() (*http.Response, error)) error {
	f.cut = f.within
	resp, err := open()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := readFrames(resp.Body, f.take, f.control); err != nil {
		if broken, ok := errors.AsType[*cutError](err); ok {
			return c.broken(ctx, resp.Request.Method, broken.err)
		}
		return err
	}
	return nil
}

func (f *follower) control(m message) error {
	switch {
	case m.Container != nil && f.started != nil:
		return f.started(*m.Container)
	case m.Cursor != nil:
		return f.begin(*m.Cursor)
	case m.Dropped != nil:
		f.forward(m.Dropped.Stream, m.Dropped.Bytes)
		f.within[m.Dropped.Stream], f.cut[m.Dropped.Stream] = false, false
		if f.opts.Dropped != nil {
			return f.opts.Dropped(m.Dropped.Stream, m.Dropped.Bytes)
		}
	case m.End != nil:
		f.end = m.End
	}
	return nil
}

// begin handles the beginning of an attempt, or where it goes on after a broken
// connection.
func (f *follower) begin(at Cursor) error {
	// From here on the cursor replaces Tail and Since.
	f.opts.From = at
	f.opts.Tail, f.opts.Since = nil, time.Time{}
	if f.opts.Attempt < 0 { // the present one may be another when it is asked again
		f.opts.Attempt = at.Attempt
	}
	if at.Attempt == f.begun {
		return nil
	}
	f.begun = at.Attempt
	f.within, f.cut = [len(f.within)]bool{}, [len(f.cut)]bool{}
	if f.opts.Begun == nil {
		return nil
	}
	return f.opts.Begun(at)
}

// take passes data to the sink and moves the cursor.
func (f *follower) take(s Stream, data []byte) error {
	if f.cut[s] {
		data = data[stamp(data):]
		f.cut[s] = false
	}
	f.forward(s, int64(len(data)))
	if f.opts.Timestamps {
		for line := range bytes.Lines(data) {
			if !f.within[s] {
				f.forward(s, -int64(stamp(line)))
			}
			f.within[s] = line[len(line)-1] != '\n'
		}
	}
	if f.sink == nil {
		return nil
	}
	return f.sink(s, data)
}

// stamp returns the length of the timestamp that data begins with.
func stamp(data []byte) int { return bytes.IndexByte(data, ' ') + 1 }

func (f *follower) forward(s Stream, n int64) {
	if s == Stderr {
		f.opts.From.Stderr += n
	} else {
		f.opts.From.Stdout += n
	}
}

// ended returns the end that came, or the reason why there is none.
func (f *follower) ended(err error) (*End, error) {
	if err == nil && f.end == nil {
		err = executor.Errorf(executor.Internal, "the host's answer ended without the container's end")
	}
	return f.end, err
}

// cutError is the error of frames that do not end as they should.
type cutError struct{ err error }

func (e *cutError) Error() string { return e.err.Error() }

// maxMessage bounds a message between the frames of output, in bytes. It has less in it
// than the request that made its container.
const maxMessage = MaxBody

// readFrames reads frames until they end, and passes on their contents. It passes on
// nothing of a frame that is cut off.
func readFrames(body io.Reader, sink Sink, take func(message) error) error {
	dec := newDecoder(body)
	var line []byte
	for {
		s, data, err := dec.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &cutError{err}
		}
		if s != control {
			if err := sink(s, data); err != nil {
				return err
			}
			continue
		}
		if line = append(line, data...); len(line) > maxMessage {
			return fmt.Errorf("the host sends a message of more than %d bytes", maxMessage)
		}
		if !bytes.HasSuffix(line, []byte("\n")) {
			continue // the rest is in the next frame
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("message of the host: %w", err)
		}
		line = line[:0]
		if m.Error != nil {
			return m.Error.err()
		}
		if err := take(m); err != nil {
			return err
		}
	}
}
