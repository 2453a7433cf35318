package output

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/internal/stream"
	"github.com/davit-run/davit/shared/executor"
)

// source is one file that is read.
type source struct {
	stream stream.Stream
	f      *os.File
	// next is the offset to read from, end the one to stop at, or -1.
	next, end int64
	index     *index
	until     time.Time
	born      time.Time // the file, zero if that is not known

	watch  *Watcher
	name   string // by descriptor, since the path may be gone
	wake   chan struct{}
	waiter waiter
	armed  bool
	wd     int32
}

func openSource(w *Watcher, x *index, file streamFile) (*source, error) {
	f, err := os.OpenFile(file.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileError(err)
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: file.path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, fileError(err)
	}
	s := &source{stream: file.stream, f: f, end: -1, index: x, watch: w, wake: make(chan struct{}, 1), born: birth(f)}
	s.name = "/proc/self/fd/" + strconv.Itoa(int(f.Fd()))
	s.waiter.wake = func() {
		select {
		case s.wake <- struct{}{}:
		default: // has one
		}
	}
	return s, nil
}

// fileError gives an error of the file system a code.
func fileError(err error) error {
	code := executor.Unavailable
	if errors.Is(err, fs.ErrNotExist) {
		code = executor.NotFound
	}
	return executor.Errorf(code, "output: %w", err)
}

// read reads from the next offset on: data that were written in one time, and
// what was dropped before them. The chunk has no Data, not even an empty slice,
// at the end.
func (s *source) read(buf []byte) (Chunk, error) {
	c := Chunk{Stream: s.stream}
	for {
		at, from, to, err := s.when()
		if err != nil {
			return Chunk{}, err
		}
		if !s.until.IsZero() && from.After(s.until) {
			s.end = s.next
		}
		if s.end >= 0 {
			to = min(to, s.end)
		}
		n, err := s.f.ReadAt(buf[:max(0, min(int64(len(buf)), to-s.next))], s.next)
		if err != nil && !errors.Is(err, io.EOF) {
			return Chunk{}, fileError(err)
		}
		// Holes come from the front. If there is none here now, there was none
		// when the data was read.
		hole := int64(0)
		if n > 0 {
			hole = s.hole(int64(n))
		}
		c.Dropped += hole
		s.next += hole
		if n > 0 && hole >= int64(n) {
			continue
		}
		data := buf[hole:n]
		if c.Dropped > 0 {
			// The rest of the line that the hole has cut is of no use either.
			rest := bytes.IndexByte(data, '\n') + 1
			data = data[rest:]
			c.Dropped += int64(rest)
			s.next += int64(rest)
		}
		if n > 0 || c.Dropped > 0 {
			c.Time, c.Offset, c.Data = at, s.next, data
			s.next += int64(len(data))
		}
		return c, nil
	}
}

// finished tells whether the source has come to an end that was set for it.
func (s *source) finished() bool { return s.end >= 0 && s.next >= s.end }

// when tells when the data at the next offset were written: at a time or, as far
// as is known, after another one, up to an offset. What is not in the index yet
// was written before the file was last.
func (s *source) when() (at, after time.Time, to int64, err error) {
	e, ok := s.index.at(s.stream, s.next)
	if !ok {
		if err := s.index.refresh(); err != nil {
			return at, after, 0, fileError(err)
		}
		e, ok = s.index.at(s.stream, s.next)
	}
	if ok {
		return e.at, e.at.Add(-e.span), e.offset, nil
	}
	st, err := s.f.Stat()
	if err != nil {
		return at, after, 0, fileError(err)
	}
	if after = s.index.last(s.stream).at; after.IsZero() {
		after = s.born
	}
	if st.Size() < s.next && s.end < 0 {
		// The words of a start that was cut off have been removed, and what the
		// workload writes takes their place.
		s.next = st.Size()
	}
	return st.ModTime(), after, max(st.Size(), s.next), nil
}

// birth gives when a file was made, zero where the file system does not tell.
func birth(f *os.File) time.Time {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
}

// hole gives the length of the hole at the next offset, at most n where no data
// follows it.
func (s *source) hole(n int64) int64 {
	data, err := unix.Seek(int(s.f.Fd()), s.next, unix.SEEK_DATA)
	switch {
	case errors.Is(err, unix.ENXIO):
		return n
	case err != nil: // a file system that knows no holes
		return 0
	case s.end >= 0:
		return min(data, s.end) - s.next
	}
	return data - s.next
}

// arm asks for one signal on wake at the next write.
func (s *source) arm() (err error) {
	if s.armed {
		return nil
	}
	select {
	case <-s.wake: // of an earlier arm
	default:
	}
	s.wd, err = s.watch.arm(s.name, &s.waiter)
	s.armed = err == nil
	return err
}

func (s *source) close() {
	if s.armed {
		s.watch.disarm(s.wd, &s.waiter)
	}
	s.f.Close()
}
