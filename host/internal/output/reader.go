package output

import (
	"context"
	"io"
	"time"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/notes"
)

// ReadOptions say what to read.
type ReadOptions struct {
	// OmitStdout and OmitStderr leave a stream out. Merged output counts as
	// stdout.
	OmitStdout, OmitStderr bool
	// From is where to begin.
	From Cursor
	// Tail, if not nil, begins that many lines before the end, but not before From. It
	// counts the lines of both streams together, from the latest back.
	Tail *int
	// Since and Until leave out what is known to have been written before and after a
	// time; zero means no bound. They are as precise as the index. A reader that follows ends after Until only when there is output after it.
	Since, Until time.Time
	// Done is closed when nothing more will be written. The reader then reads on to the
	// end. Nil means to read to the present end.
	Done <-chan struct{}
}

// Cursor is a position in the output of an attempt: the offset of the next byte of each
// stream, from 0. Output is never renumbered, so that a cursor stays valid.
type Cursor struct {
	Stdout int64 `json:"stdout"`
	Stderr int64 `json:"stderr"`
}

// Chunk is a piece of a stream.
type Chunk struct {
	Stream api.Stream
	// Offset is that of Data in the stream.
	Offset int64
	// Data is valid until the next call.
	Data []byte
	// Dropped is the number of bytes just before Offset that are not kept any more.
	Dropped int64
	// Notes say when Data was written: the first covers its beginning, the last its end.
	// They are valid until the next call.
	Notes []notes.Note
}

// Reader reads the output of one attempt. It is not safe for concurrent use.
type Reader struct {
	sources []*source
	buf     []byte
	done    <-chan struct{}
	ended   bool
}

const (
	readSize = 64 << 10
	// pollInterval is the interval at which files are read that cannot be watched.
	pollInterval = 50 * time.Millisecond
)

// NewReader opens the files of an attempt. The error is [executor.NotFound] if there are
// none.
func NewReader(ctx context.Context, w *linux.Watcher, files Files, opts ReadOptions) (*Reader, error) {
	r := &Reader{buf: make([]byte, readSize), done: opts.Done, ended: opts.Done == nil}
	for _, file := range files.streams() {
		if file.stream == api.Stdout && opts.OmitStdout || file.stream == api.Stderr && opts.OmitStderr {
			continue
		}
		src, err := openSource(w, file)
		if err != nil {
			r.Close()
			return nil, err
		}
		r.sources = append(r.sources, src)
	}
	if err := r.start(ctx, opts); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Next returns the next chunk, and waits for one if output may still come. The error is
// io.EOF after the last chunk. It is that of ctx if ctx ended; the Reader can be used
// again after that. Chunks of a stream come in order, without gaps except for dropped
// output. The two streams are merged by time, as precisely as the index allows.
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

// read returns a chunk if there is one, from the stream that was written first. When
// both have the same time, as at the live end, the streams alternate.
func (r *Reader) read() (Chunk, error) {
	var limit time.Time // when the other stream goes on
	if len(r.sources) == 2 {
		first, err := r.sources[0].when()
		if err != nil {
			return Chunk{}, err
		}
		second, err := r.sources[1].when()
		if err != nil {
			return Chunk{}, err
		}
		if second[0].At.Before(first[0].At) {
			r.sources[0], r.sources[1] = r.sources[1], r.sources[0]
			second = first
		}
		if second[0].Offset > r.sources[1].next {
			limit = second[0].At
		}
	}
	for i, src := range r.sources {
		c, err := src.read(r.buf, limit)
		if err != nil {
			return c, err
		}
		if c.Data != nil {
			if i == 0 && len(r.sources) == 2 {
				r.sources[0], r.sources[1] = r.sources[1], r.sources[0]
			}
			return c, nil
		}
		limit = time.Time{} // the first has nothing
	}
	return Chunk{}, nil
}

// finished reports whether all streams have reached an end that was set for them.
func (r *Reader) finished() bool {
	for _, src := range r.sources {
		if !src.finished() {
			return false
		}
	}
	return len(r.sources) > 0
}

// wait returns when there may be something to read, or done is closed.
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
		return ctx.Err() // read once more: for what was written before the watch was armed
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

// Cursor returns the position after the last chunk.
func (r *Reader) Cursor() Cursor {
	var c Cursor
	for _, src := range r.sources {
		if src.stream == api.Stdout {
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
