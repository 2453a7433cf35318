package output

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/davit-run/davit/host/internal/stream"
)

// start sets where the streams begin and, for a reader that does not follow, end.
func (r *Reader) start(opts ReadOptions) error {
	ends, last := make([]int64, len(r.sources)), make([]time.Time, len(r.sources))
	for i, src := range r.sources {
		st, err := src.f.Stat()
		if err != nil {
			return fileError(err)
		}
		ends[i], last[i] = st.Size(), st.ModTime()
		if opts.Done == nil {
			src.end = st.Size()
		}
		src.until = opts.Until
		src.next = max(0, opts.From.Stdout)
		if src.stream == stream.Stderr {
			src.next = max(0, opts.From.Stderr)
		}
		if !opts.Since.IsZero() {
			src.next = max(src.next, r.index.since(src.stream, opts.Since))
		}
	}
	if opts.Tail == nil {
		return nil
	}
	starts, err := r.tail(ends, last, max(0, *opts.Tail))
	for i, src := range r.sources {
		src.next = max(src.next, starts[i])
	}
	return err
}

// tail gives the offsets at which the last n lines before the ends begin, counted
// over all streams, or 0 if there are not as many. Last is when each stream was
// last written.
func (r *Reader) tail(ends []int64, last []time.Time, n int) (starts []int64, err error) {
	starts = append(starts, ends...)
	lines := make([][]int64, len(ends))
	for i, src := range r.sources {
		if lines[i], err = src.lines(ends[i], n); err != nil {
			return starts, fileError(err)
		}
	}
	for range n {
		latest, when := -1, time.Time{}
		for i := range lines {
			if len(lines[i]) == 0 {
				continue
			}
			if t := r.written(r.sources[i].stream, lines[i][0], last[i]); latest < 0 || t.After(when) {
				latest, when = i, t
			}
		}
		if latest < 0 { // fewer lines than that
			return make([]int64, len(ends)), nil
		}
		starts[latest] = lines[latest][0]
		lines[latest] = lines[latest][1:]
	}
	return starts, nil
}

// written tells when what a stream has at an offset was written.
func (r *Reader) written(s stream.Stream, offset int64, last time.Time) time.Time {
	if e, ok := r.index.at(s, offset); ok {
		return e.at
	}
	return last
}

// lines gives the offsets of up to n lines before end, the last one first. A last
// line without a newline counts. What a hole has cut is no line.
func (s *source) lines(end int64, n int) (starts []int64, err error) {
	low := firstData(s.f, end)
	buf := make([]byte, readSize)
	for at := end; at > low && len(starts) < n; {
		block := buf[:min(readSize, at-low)]
		at -= int64(len(block))
		if _, err := s.f.ReadAt(block, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if at+int64(len(block)) == end && block[len(block)-1] == '\n' {
			block = block[:len(block)-1] // ends the last line, begins none
		}
		for len(starts) < n {
			i := bytes.LastIndexByte(block, '\n')
			if i < 0 {
				break
			}
			starts = append(starts, at+int64(i)+1)
			block = block[:i]
		}
	}
	if low == 0 && end > 0 && len(starts) < n {
		starts = append(starts, 0)
	}
	return starts, nil
}
