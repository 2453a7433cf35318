package pipes

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/fifo"
	"golang.org/x/sys/unix"
)

// pipeSize is how much a FIFO holds, in bytes, where the kernel allows that. More than the
// default of 64 KiB makes fewer acknowledgements necessary.
const pipeSize = 256 << 10

// Reader reads a FIFO without taking what it reads. It is not safe for concurrent use.
type Reader struct {
	counter *Counter
	fifo    *os.File
	// side is the pipe into which the content of the FIFO is copied; it is empty between
	// calls.
	sideOut, sideIn *os.File
	null            *os.File
	buf             []byte
}

// OpenReader opens a FIFO. The caller closes it.
func OpenReader(path string, counter *Counter) (*Reader, error) {
	r := &Reader{counter: counter, buf: make([]byte, pipeSize)}
	err := r.open(path)
	if err != nil {
		_ = r.Close()
		return nil, executor.Errorf(executor.Unavailable, "%s: %w", counter.name, err)
	}
	return r, nil
}

func (r *Reader) open(path string) (err error) {
	if r.fifo, err = fifo.Open(path, os.O_RDONLY|unix.O_NOFOLLOW); err != nil {
		return err
	}
	var side [2]int
	if err = unix.Pipe2(side[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return err
	}
	r.sideOut, r.sideIn = os.NewFile(uintptr(side[0]), "side"), os.NewFile(uintptr(side[1]), "side")
	_, _ = unix.FcntlInt(uintptr(side[0]), unix.F_SETPIPE_SZ, pipeSize) // smaller ones do too
	_ = r.control(func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, pipeSize)
		return err
	})
	r.null, err = os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	return err
}

// Close closes the reader. What was not taken stays in the FIFO, for as long as somebody
// else has it open.
func (r *Reader) Close() error {
	var errs []error
	for _, f := range []*os.File{r.fifo, r.sideOut, r.sideIn, r.null} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

func (r *Reader) control(fn func(fd int) error) error {
	raw, err := r.fifo.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = fn(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// Next returns what is in the FIFO, and waits for something until ctx ends. The data are
// valid until the next call, and come again until [Reader.Take] takes them. The error is
// [io.EOF] if the FIFO is empty and nobody has it open for writing.
func (r *Reader) Next(ctx context.Context) ([]byte, error) {
	if err := r.counter.Torn(); err != nil {
		return nil, err
	}
	n, err := r.tee(ctx)
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return nil, io.EOF
	}
	if _, err := io.ReadFull(r.sideOut, r.buf[:n]); err != nil {
		return nil, executor.Errorf(executor.Internal, "%s: %w", r.counter.name, err)
	}
	return r.buf[:n], nil
}

// tee copies what is in the FIFO to the side pipe.
func (r *Reader) tee(ctx context.Context) (n int, err error) {
	raw, err := r.fifo.SyscallConn()
	if err != nil {
		return 0, err
	}
	side, err := r.sideIn.SyscallConn()
	if err != nil {
		return 0, err
	}
	defer interrupt(ctx, r.fifo.SetReadDeadline)()
	var inner error
	look := func(fd uintptr) bool {
		var got int64
		err := side.Control(func(to uintptr) {
			for {
				got, inner = unix.Tee(int(fd), int(to), len(r.buf), unix.SPLICE_F_NONBLOCK)
				if !errors.Is(inner, unix.EINTR) {
					return
				}
			}
		})
		n, inner = int(max(0, got)), errors.Join(err, inner)
		return !errors.Is(inner, unix.EAGAIN)
	}
	// What is there is returned even if ctx has ended.
	done := false
	if err := raw.Control(func(fd uintptr) { done = look(fd) }); err != nil {
		return 0, err
	}
	if done {
		return n, inner
	}
	if err := raw.Read(look); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, err
	}
	return n, inner
}

// interrupt ends an operation on a file when ctx ends, by its deadline. The caller calls
// undo afterwards.
func interrupt(ctx context.Context, setDeadline func(time.Time) error) (undo func()) {
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(set)
		_ = setDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-set
			_ = setDeadline(time.Time{})
		}
	}
}

// Take takes bytes out of the FIFO that Next has returned.
func (r *Reader) Take(n int) error {
	if n == 0 {
		return nil
	}
	_, err := r.counter.move(n, func() (taken int, err error) {
		err = r.control(func(fd int) error {
			for taken < n {
				got, err := unix.Splice(fd, nil, int(r.null.Fd()), nil, n-taken, unix.SPLICE_F_NONBLOCK)
				switch {
				case errors.Is(err, unix.EINTR):
				case err != nil:
					return err
				case got == 0:
					return io.ErrUnexpectedEOF
				default:
					taken += int(got)
				}
			}
			return nil
		})
		return taken, err
	})
	if err != nil && executor.CodeOf(err) == executor.Internal {
		err = executor.Errorf(executor.Internal, "%s: %d bytes cannot be taken from the FIFO: %w", r.counter.name, n, err)
	}
	return err
}
