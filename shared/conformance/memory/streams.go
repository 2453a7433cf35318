package memory

import (
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// Events for a workload that its program does not see.
const (
	closeInput = 100 + iota
	resized
)

// streams are those of a workload.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	closers        []io.Closer
	// closeInput closes our own end of a FIFO for stdin. Until then others can come and go.
	closeInput func()
}

// openStreams opens the streams of a workload. A FIFO for output has a reader already.
func openStreams(stdio executor.Stdio) (s *streams, err error) {
	s = &streams{closeInput: func() {}}
	defer func() {
		if err != nil {
			s.close()
			err = executor.Errorf(executor.Invalid, "streams: %w", err)
		}
	}()
	in := stdio.Stdin
	if in.Kind == executor.StreamNull {
		in.Path = os.DevNull
	}
	if s.stdin, err = s.open(in.Path, os.O_RDONLY|syscall.O_NONBLOCK); err != nil {
		return s, err
	}
	if in.Kind == executor.StreamFIFO {
		keep, err := s.open(in.Path, os.O_WRONLY|syscall.O_NONBLOCK)
		if err != nil {
			return s, err
		}
		s.closeInput = sync.OnceFunc(func() { _ = keep.Close() })
	}
	for _, out := range []struct {
		executor.Stream
		to *io.Writer
	}{{stdio.Stdout, &s.stdout}, {stdio.Stderr, &s.stderr}} {
		path, flags := out.Path, os.O_WRONLY|os.O_APPEND
		switch out.Kind {
		case executor.StreamNull:
			path = os.DevNull
		case executor.StreamFIFO:
			flags = os.O_WRONLY | syscall.O_NONBLOCK
		}
		if *out.to, err = s.open(path, flags); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *streams) open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0)
	if err == nil {
		s.closers = append(s.closers, f)
	}
	return f, err
}

// close closes the streams. Who reads or writes fails.
func (s *streams) close() {
	for _, c := range s.closers {
		_ = c.Close()
	}
}

// size returns the size of a workload's terminal.
func (p place) size() (rows, columns int) {
	var size executor.TerminalSize
	_ = readJSON(p.sizeFile(), &size)
	return int(size.Height), int(size.Width)
}
