package output

import (
	"context"
	"io"
	"time"

	"github.com/davit-run/davit/host/internal/stream"
)

// ReadOptions say what to read.
type ReadOptions struct {
	// OmitStdout and OmitStderr leave a stream out. Merged output counts as
	// stdout.
	OmitStdout, OmitStderr bool
	// From is where to begin.
	From Cursor
	// Tail, if not nil, begins that many lines before the end of each stream, but
	// not before From.
	Tail *int
	// Done is closed when nothing more will be written: the reader goes on to
	// what is the end then. Nil reads to what is the end now.
	Done <-chan struct{}
}

// Cursor is a place in the output of an attempt: the offset of the next byte of
// each stream, from 0. Output is never renumbered, so that a cursor stays good.
type Cursor struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// Chunk is a piece of a stream.
type Chunk struct {
	Stream stream.Stream
	// Offset is that of Data in the stream.
	Offset int64
	// Data is valid until the next call.
	Data []byte
	// Dropped is how many bytes just before Offset are not kept any more.
	Dropped int64
}

// Reader reads the output of one attempt. It is not safe for concurrent use.
type Reader struct {
	sources []*source
	turn    int
	buf     []byte
	done    <-chan struct{}
	ended   bool
}

const (
	readSize = 64 << 10
	// pollInterval is how often files are looked at when they cannot be watched.
	pollInterval = 50 * time.Millisecond
)

// NewReader opens the files of an attempt. NotFound means that there are none.
func NewReader(w *Watcher, files Files, opts ReadOptions) (*Reader, error) {
	r := &Reader{buf: make([]byte, readSize), done: opts.Done, ended: opts.Done == nil}
	add := func(s stream.Stream, path string, from int64) error {
		src, err := openSource(w, s, path)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, src)
		return src.start(from, opts)
	}
	var err error
	if !opts.OmitStdout {
		err = add(stream.Stdout, files.Stdout, opts.From.Stdout)
	}
	if !opts.OmitStderr && !files.Merged() && err == nil {
		err = add(stream.Stderr, files.Stderr, opts.From.Stderr)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Next gives the next chunk, and waits for one if output may still come. The
// error is io.EOF after the last, and that of ctx if it ended; the Reader can be
// used again after that. Within a stream chunks come in order and without a gap
// but for what was dropped; between streams there is no order.
func (r *Reader) Next(ctx context.Context) (Chunk, error) {
	for {
		c, err := r.read()
		if err != nil || c.Data != nil {
			return c, err
		}
		if r.ended {
			return Chunk{}, io.EOF
		}
		if err := r.wait(ctx); err != nil {
			return Chunk{}, err
		}
	}
}

// read gives a chunk if there is one, from the streams in turn.
func (r *Reader) read() (Chunk, error) {
	for range r.sources {
		src := r.sources[r.turn]
		r.turn = (r.turn + 1) % len(r.sources)
		if c, err := src.read(r.buf); err != nil || c.Data != nil {
			return c, err
		}
	}
	return Chunk{}, nil
}

// wait returns when there may be something to read, or the end was reached.
func (r *Reader) wait(ctx context.Context) error {
	var wake [2]chan struct{} // nil blocks
	var poll <-chan time.Time
	fresh := false
	for i, src := range r.sources {
		fresh = fresh || !src.armed
		if src.arm() != nil {
			poll = time.After(pollInterval)
		}
		wake[i] = src.wake
	}
	if fresh && poll == nil {
		return ctx.Err() // what was written before the watch was armed is seen now
	}
	select {
	case <-wake[0]:
		r.sources[0].armed = false
	case <-wake[1]:
		r.sources[1].armed = false
	case <-poll:
	case <-r.done:
		r.ended = true
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Cursor gives the place behind the last chunk.
func (r *Reader) Cursor() Cursor {
	var c Cursor
	for _, src := range r.sources {
		if src.stream == stream.Stdout {
			c.Stdout = src.next
		} else {
			c.Stderr = src.next
		}
	}
	return c
}

// Close releases the files.
func (r *Reader) Close() {
	for _, src := range r.sources {
		src.close()
	}
	r.sources = nil
}
