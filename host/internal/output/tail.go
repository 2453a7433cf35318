package output

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
)

// start sets where a source begins and, for a reader that does not follow, ends.
func (s *source) start(from int64, opts ReadOptions) error {
	st, err := s.f.Stat()
	if err != nil {
		return executor.Errorf(executor.Unavailable, "output: %w", err)
	}
	s.next = max(0, from)
	if opts.Done == nil {
		s.end = st.Size()
	}
	if opts.Tail != nil {
		at, err := s.tail(st.Size(), *opts.Tail)
		if err != nil {
			return executor.Errorf(executor.Unavailable, "output: %w", err)
		}
		s.next = max(s.next, at)
	}
	return nil
}

// tail gives the offset at which the last n lines before end begin, 0 if there
// are not as many. A last line without a newline counts.
func (s *source) tail(end int64, n int) (int64, error) {
	if n <= 0 {
		return end, nil
	}
	low, err := unix.Seek(int(s.f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return end, nil
	}
	if err != nil {
		low = 0
	}
	buf := make([]byte, readSize)
	for at, first := end, true; at > low; {
		block := buf[:min(readSize, at-low)]
		at -= int64(len(block))
		if _, err := s.f.ReadAt(block, at); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if first && block[len(block)-1] == '\n' {
			block = block[:len(block)-1] // ends the last line, begins none
		}
		first = false
		for {
			i := bytes.LastIndexByte(block, '\n')
			if i < 0 {
				break
			}
			if n--; n == 0 {
				return at + int64(i) + 1, nil
			}
			block = block[:i]
		}
	}
	return 0, nil
}
