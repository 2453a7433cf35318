package output

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

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

	watch *Watcher
	wake  chan struct{}
	armed bool
	wd    int32
}

func openSource(w *Watcher, s stream.Stream, path string) (*source, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err == nil {
		var st os.FileInfo
		if st, err = f.Stat(); err == nil && !st.Mode().IsRegular() {
			err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
		}
		if err == nil {
			return &source{stream: s, f: f, end: -1, watch: w, wake: make(chan struct{}, 1)}, nil
		}
		f.Close()
	}
	code := executor.Unavailable
	if errors.Is(err, fs.ErrNotExist) {
		code = executor.NotFound
	}
	return nil, executor.Errorf(code, "output: %w", err)
}

// read reads from the next offset on. It gives what was dropped before the data,
// and neither data nor a drop at the end.
func (s *source) read(buf []byte) (c Chunk, err error) {
	if s.end >= 0 {
		buf = buf[:max(0, min(int64(len(buf)), s.end-s.next))]
	}
	n, err := s.f.ReadAt(buf, s.next)
	if err != nil && !errors.Is(err, io.EOF) {
		return Chunk{}, executor.Errorf(executor.Unavailable, "output: %w", err)
	}
	if n == 0 {
		return Chunk{}, nil
	}
	// Holes come from the front. If there is none here now, there was none when
	// the data was read.
	hole := s.hole(int64(n))
	data := buf[min(hole, int64(n)):n]
	if hole > 0 {
		// The rest of the line that the hole has cut is of no use either.
		rest := bytes.IndexByte(data, '\n') + 1
		data, hole = data[rest:], hole+int64(rest)
	}
	c = Chunk{Stream: s.stream, Dropped: hole, Offset: s.next + hole, Data: data}
	s.next = c.Offset + int64(len(data))
	return c, nil
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
	s.wd, err = s.watch.arm(s.f, s.wake)
	s.armed = err == nil
	return err
}

func (s *source) close() {
	if s.armed {
		s.watch.disarm(s.wd, s.wake)
	}
	s.f.Close()
}
