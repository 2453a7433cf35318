package output

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/notes"
)

// source is one file that is read.
type source struct {
	stream api.Stream
	f      *os.File
	// next is the offset to read from, end the one to stop at, or -1.
	next, end int64
	index     *index
	until     time.Time
	// empty is when nothing was found beyond next, or else when the file was made; zero
	// if that is not known.
	empty time.Time

	watch  *linux.Watcher
	name   string // by descriptor, since the path may be gone
	wake   chan struct{}
	waiter linux.Waiter
	armed  bool
}

func openSource(w *linux.Watcher, file streamFile) (*source, error) {
	f, err := linux.Open(file.path, os.O_RDONLY|unix.O_NOFOLLOW)
	if err != nil {
		return nil, fileError(err)
	}
	x, err := openIndex(file.index())
	if err != nil {
		f.Close()
		return nil, fileError(err)
	}
	s := &source{stream: file.stream, f: f, end: -1, index: x, watch: w, wake: make(chan struct{}, 1), empty: birth(f)}
	s.name = linux.FDPath(int(f.Fd()))
	s.waiter.Wake = func() {
		select {
		case s.wake <- struct{}{}:
		default: // has one
		}
	}
	return s, nil
}

// fileError returns an error of the file system with a code.
func fileError(err error) error {
	code := executor.Unavailable
	if errors.Is(err, fs.ErrNotExist) {
		code = executor.NotFound
	}
	return executor.Errorf(code, "output: %w", err)
}

// read reads from the next offset on, no further than what came until limit, if that is
// not zero. The chunk has the size of what was dropped before. At the end its Data is nil.
func (s *source) read(buf []byte, limit time.Time) (Chunk, error) {
	c := Chunk{Stream: s.stream}
	for {
		came, err := s.when()
		if err != nil {
			return Chunk{}, err
		}
		if !s.until.IsZero() && came[0].Begin().After(s.until) {
			s.end = s.next
		}
		c.Notes = s.joined(came, limit, s.next+int64(len(buf)))
		to := c.Notes[len(c.Notes)-1].Offset
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
			// The rest of the line that the hole has cut is dropped too.
			rest := bytes.IndexByte(data, '\n') + 1
			data = data[rest:]
			c.Dropped += int64(rest)
			s.next += int64(rest)
		}
		if n > 0 || c.Dropped > 0 {
			c.Offset, c.Data = s.next, data
			s.next += int64(len(data))
		}
		return c, nil
	}
}

// joined returns the first of the notes, and those that follow it and may be read with it:
// what came until limit, and begins before the offset to.
func (s *source) joined(came []notes.Note, limit time.Time, to int64) []notes.Note {
	n := 1
	for ; n < len(came) && came[n-1].Offset < to; n++ {
		if !limit.IsZero() && came[n].At.After(limit) || !s.until.IsZero() && came[n].Begin().After(s.until) {
			break
		}
	}
	return came[:n]
}

// finished reports whether the source has reached an end that was set for it.
func (s *source) finished() bool { return s.end >= 0 && s.next >= s.end }

// when returns when the data at the next offset were written, as at least one note. Data
// that the index does not have yet get the file's modification time.
func (s *source) when() ([]notes.Note, error) {
	came := s.index.at(s.next)
	if len(came) == 0 {
		if err := s.index.refresh(); err != nil {
			return nil, fileError(err)
		}
		came = s.index.at(s.next)
	}
	if len(came) > 0 {
		return came, nil
	}
	st, err := s.f.Stat()
	if err != nil {
		return nil, fileError(err)
	}
	if st.Size() < s.next && s.end < 0 {
		// The output of an interrupted start has been removed, and what the workload
		// writes takes its place.
		s.next = st.Size()
	}
	n := notes.Note{Offset: max(st.Size(), s.next), At: st.ModTime(), Sampled: true}
	begin := s.index.last().At
	if s.empty.After(begin) {
		begin = s.empty
	}
	n.Span = max(0, n.At.Sub(begin))
	if st.Size() <= s.next {
		s.empty = time.Now()
	}
	return []notes.Note{n}, nil
}

// birth returns when a file was made, or zero if the file system does not know.
func birth(f *os.File) time.Time {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
}

// hole returns the length of the hole at the next offset, or n if no data follows.
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

// written are the events of a write, and of a change of what is known of the file.
const written = unix.IN_MODIFY | unix.IN_ATTRIB

// arm requests one signal on wake at the next write.
func (s *source) arm() (err error) {
	if s.armed {
		return nil
	}
	select {
	case <-s.wake: // of an earlier arm
	default:
	}
	err = s.watch.Arm(s.name, written, &s.waiter)
	s.armed = err == nil
	return err
}

func (s *source) close() {
	if s.armed {
		s.watch.Disarm(&s.waiter)
	}
	s.f.Close()
	s.index.close()
}
