package output

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/api"
)

// start sets where the streams begin and, for a reader that does not follow, where they
// end.
func (r *Reader) start(ctx context.Context, opts ReadOptions) error {
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
		if src.stream == api.Stderr {
			src.next = max(0, opts.From.Stderr)
		}
		if !opts.Since.IsZero() {
			src.next = max(src.next, src.index.since(opts.Since))
		}
	}
	if opts.Tail == nil {
		return nil
	}
	starts, err := r.tail(ctx, ends, last, max(0, *opts.Tail))
	for i, src := range r.sources {
		src.next = max(src.next, starts[i])
	}
	return err
}

// Lines returns how many lines an attempt has of the streams that opts choose, or most if
// it has more.
func (o *Outputs) Lines(ctx context.Context, files Files, opts api.LogOptions, most int) (n int, err error) {
	read := readOptions(opts)
	read.From = Cursor{}
	r, err := NewReader(ctx, o.watcher, files, read)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for _, src := range r.sources {
		lines, err := src.lines(ctx, src.end, most-n)
		if err != nil {
			return n, err
		}
		n += len(lines)
	}
	return n, nil
}

// tail returns the offsets at which the last n lines before the ends begin, counted over
// all streams. The offsets are 0 if there are fewer lines. last has the times at which
// the streams were last written.
func (r *Reader) tail(ctx context.Context, ends []int64, last []time.Time, n int) (starts []int64, err error) {
	starts = append(starts, ends...)
	lines := make([][]int64, len(ends))
	for i, src := range r.sources {
		if lines[i], err = src.lines(ctx, ends[i], n); err != nil {
			return starts, err
		}
	}
	for range n {
		latest, when := -1, time.Time{}
		for i := range lines {
			if len(lines[i]) == 0 {
				continue
			}
			if t := r.sources[i].written(lines[i][0], last[i]); latest < 0 || t.After(when) {
				latest, when = i, t
			}
		}
		if latest < 0 { // there are fewer lines
			return make([]int64, len(ends)), nil
		}
		starts[latest] = lines[latest][0]
		lines[latest] = lines[latest][1:]
	}
	return starts, nil
}

// written returns when the byte at an offset was written.
func (s *source) written(offset int64, last time.Time) time.Time {
	if came := s.index.at(offset); len(came) > 0 {
		return came[0].At
	}
	return last
}

// lines returns the offsets of up to n lines before end, the last one first. A last line
// without a newline counts. A line that a hole has cut does not.
func (s *source) lines(ctx context.Context, end int64, n int) (starts []int64, err error) {
	low := firstData(s.f, end)
	buf := make([]byte, readSize)
	for at := end; at > low && len(starts) < n; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		from := s.block(low, at)
		block := buf[:min(readSize, at-from)]
		at = from
		if _, err := s.f.ReadAt(block, at); err != nil && !errors.Is(err, io.EOF) {
			return nil, fileError(err)
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

// block returns where the last block with data before end begins, not before low. A hole
// may be as large as the largest file, so it is passed in a few steps: the file is asked
// for data in ever larger parts before end, and then in ever smaller ones.
func (s *source) block(low, end int64) int64 {
	size := int64(readSize)
	for end-size > low && !s.hasData(end-size, end) {
		size *= 2
	}
	for ; size > readSize; size /= 2 {
		if middle := end - size/2; middle <= low || s.hasData(middle, end) {
			continue
		}
		end -= size / 2 // a hole up to the end
	}
	return max(low, end-readSize)
}

// hasData reports whether there may be data between two offsets.
func (s *source) hasData(from, to int64) bool {
	at, err := unix.Seek(int(s.f.Fd()), from, unix.SEEK_DATA)
	return err == nil && at < to || err != nil && !errors.Is(err, unix.ENXIO)
}
