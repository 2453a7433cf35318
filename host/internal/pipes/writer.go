package pipes

import (
	"context"
	"errors"
	"os"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"golang.org/x/sys/unix"
)

// ErrNoReader is the error for an input that nobody reads any more.
var ErrNoReader = errors.New("nobody reads the input any more")

// Writer writes to the FIFO that is the input of a process. It is not safe for concurrent
// use.
type Writer struct {
	counter *Counter
	fifo    *os.File
}

// OpenWriter opens a FIFO. The error is [ErrNoReader] if nobody has it open for reading.
func OpenWriter(path string, counter *Counter) (*Writer, error) {
	f, err := fifo.Open(path, os.O_WRONLY|unix.O_NOFOLLOW)
	if errors.Is(err, unix.ENXIO) {
		return nil, ErrNoReader
	}
	if err != nil {
		return nil, executor.Errorf(executor.Unavailable, "%s: %w", counter.name, err)
	}
	return &Writer{counter, f}, nil
}

// Close closes this end of the FIFO. The input ends when all ends are closed.
func (w *Writer) Close() error { return w.fifo.Close() }

// Write writes all of data, unless ctx ends first. The counter counts what was written.
func (w *Writer) Write(ctx context.Context, data []byte) error {
	raw, err := w.fifo.SyscallConn()
	if err != nil {
		return err
	}
	defer interrupt(ctx, w.fifo.SetWriteDeadline)()
	for len(data) > 0 {
		n := 0
		var inner error
		err := raw.Write(func(fd uintptr) bool {
			n, inner = w.counter.move(len(data), func() (int, error) { return unix.Write(int(fd), data) })
			return !errors.Is(inner, unix.EAGAIN) && !errors.Is(inner, unix.EINTR)
		})
		switch {
		case errors.Is(inner, unix.EPIPE):
			return ErrNoReader
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case errors.Join(err, inner) != nil:
			return errors.Join(err, inner)
		}
		data = data[n:]
	}
	return nil
}
