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
	// Tail, if not nil, begins that many lines before the end, but not before
	// From. The lines of both streams are counted, the latest first.
	Tail *int
	// Since and Until leave out what is known to have been written before and
	// after a time; zero means no bound. How well it is known is in the index: to
	// a second or so. A reader that follows does not end when Until comes, unless
	// there is output after it.
	Since, Until time.Time
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
	// Time is when the last byte of Data was written, or a moment after.
	Time time.Time
}

// Reader reads the output of one attempt. It is not safe for concurrent use.
type Reader struct {
	index   *index
	sources []*source
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
	x, err := openIndex(files.Index)
	if err != nil {
		return nil, fileError(err)
	}
	r := &Reader{index: x, buf: make([]byte, readSize), done: opts.Done, ended: opts.Done == nil}
	for _, file := range files.streams() {
		if file.stream == stream.Stdout && opts.OmitStdout || file.stream == stream.Stderr && opts.OmitStderr {
			continue
		}
		src, err := openSource(w, x, file)
		if err != nil {
			r.Close()
			return nil, err
		}
		r.sources = append(r.sources, src)
	}
	if err := r.start(opts); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Next gives the next chunk, and waits for one if output may still come. The
// error is io.EOF after the last, and that of ctx if it ended; the Reader can be
// used again after that. Within a stream chunks come in order and without a gap
// but for what was dropped. Streams are put together by time as well as the
// index allows.
func (r *Reader) Next(ctx context.Context) (Chunk, error) {
	for {
		c, err := r.read()
		if err != nil || c.Data != nil {
			return c, err
		}
		if r.ended || r.finished() {
			return Chunk{}, io.EOF
		}
		if err := r.wait(ctx); err != nil {
			return Chunk{}, err
		}
	}
}

// read gives a chunk if there is one, from the stream that was written first.
// Among equals, and that is when reading at the live end, streams take turns.
func (r *Reader) read() (Chunk, error) {
	if len(r.sources) == 2 {
		first, _, _, err := r.sources[0].when()
		if err != nil {
			return Chunk{}, err
		}
		second, _, _, err := r.sources[1].when()
		if err != nil {
			return Chunk{}, err
		}
		if second.Before(first) {
			r.sources[0], r.sources[1] = r.sources[1], r.sources[0]
		}
	}
	for i, src := range r.sources {
		c, err := src.read(r.buf)
		if err != nil {
			return c, err
		}
		if c.Data != nil {
			if i == 0 && len(r.sources) == 2 {
				r.sources[0], r.sources[1] = r.sources[1], r.sources[0]
			}
			return c, nil
		}
	}
	return Chunk{}, nil
}

// finished tells whether all streams have come to an end that was set for them.
func (r *Reader) finished() bool {
	for _, src := range r.sources {
		if !src.finished() {
			return false
		}
	}
	return len(r.sources) > 0
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
	r.index.close()
}
