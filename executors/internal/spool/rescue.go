package spool

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/davit-run/davit/executors/internal/capture"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// bufferSize is the capacity of a pipe, unless it was made larger.
const bufferSize = 64 << 10

// rescue copies a stream that its shim no longer copies.
type rescue struct {
	pipe *os.File
	lock *os.File // the file, for reading
	log  *capture.Log
	quit chan struct{}
	once sync.Once
	done chan struct{}
}

// startRescue opens both ends. The error is io.EOF if the pipe has come to its
// end, which is how a copier ends in good order, and EWOULDBLOCK if another process
// copies the stream.
func startRescue(path, pipe string) (*rescue, error) {
	r := &rescue{quit: make(chan struct{}), done: make(chan struct{})}
	var err error
	// A pipe that is opened again has a mode of its own; the shim's mode stays as it
	// is.
	if r.pipe, err = os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	over, err := atEnd(r.pipe)
	if over {
		err = io.EOF
	}
	if err == nil {
		err = r.begin(path)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// begin takes over the file, which must be a plain one.
func (r *rescue) begin(path string) (err error) {
	if r.lock, err = linux.Open(path, os.O_RDONLY|unix.O_NOFOLLOW); err != nil {
		return err
	}
	if err = linux.Lock(r.lock, 0); err != nil { // only one copies
		return err
	}
	r.log, err = capture.Resume(executor.Stream{Path: path})
	return err
}

// atEnd reports whether a pipe is empty and nobody can write to it.
func atEnd(pipe *os.File) (bool, error) {
	conn, err := pipe.SyscallConn()
	if err != nil {
		return false, err
	}
	var over bool
	var perr error
	err = conn.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, perr = unix.Poll(fds, 0)
		over = fds[0].Revents == unix.POLLHUP // and no POLLIN
	})
	return over && perr == nil, errors.Join(err, perr)
}

func (r *rescue) close() {
	for _, f := range []*os.File{r.pipe, r.lock} {
		_ = f.Close() // nil has an answer to that
	}
	if r.log != nil {
		r.log.Close()
	}
}

// finish waits for the end of the pipe, but no longer than ctx, and reports whether
// it came.
func (r *rescue) finish(ctx context.Context) bool {
	select {
	case <-r.done:
		return true
	case <-ctx.Done():
		r.stop()
		return false
	}
}

func (r *rescue) stop() {
	r.once.Do(func() { close(r.quit) })
	<-r.done
}

// run copies until all who could write to the pipe are gone.
func (r *rescue) run(ctx context.Context) {
	defer close(r.done)
	defer r.close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
		case <-r.quit:
		case <-ended:
			return
		}
		_ = r.pipe.SetReadDeadline(time.Now())
	}()
	buf := make([]byte, bufferSize)
	for {
		n, err := r.pipe.Read(buf)
		if n > 0 {
			_, _ = r.log.Write(buf[:n])
		}
		if err != nil {
			return // at its end, or because ctx ended
		}
	}
}
