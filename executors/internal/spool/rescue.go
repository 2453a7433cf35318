package spool

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// bufferSize is what a pipe holds, unless it was made larger.
const bufferSize = 64 << 10

// noteInterval is how often a loss that grows is noted.
const noteInterval = time.Second

// rescue copies a stream whose shim does not any more.
type rescue struct {
	path string
	pipe *os.File
	lock *os.File // the file, for reading
	file *os.File // for writing; nil as long as it cannot be opened
	quit chan struct{}
	once sync.Once
	done chan struct{}

	loss  executor.Loss
	noted time.Time
	// torn says that what comes next does not follow what the file ends with.
	torn bool
}

// startRescue opens both ends. The error is io.EOF if the pipe has come to its
// end, which is how a copier ends in good order, and EWOULDBLOCK if another process
// copies the stream.
func startRescue(path, pipe string) (*rescue, error) {
	r := &rescue{path: path, quit: make(chan struct{}), done: make(chan struct{})}
	var err error
	// Opened anew the pipe has a mode of its own, and the shim's stays as it is.
	if r.pipe, err = os.OpenFile(pipe, os.O_RDONLY|unix.O_NONBLOCK, 0); err != nil {
		return nil, err
	}
	over, err := atEnd(r.pipe)
	if over {
		err = io.EOF
	}
	if err == nil {
		r.lock, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	}
	if err == nil { // only one copies
		err = unix.Flock(int(r.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err == nil {
		r.loss, err = executor.ReadLoss(path)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	r.gap()
	return r, nil
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
	for _, f := range []*os.File{r.pipe, r.lock, r.file} {
		_ = f.Close() // nil has an answer to that
	}
}

// finish waits for the end of the pipe, until ctx ends, and reports whether it
// came.
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
			r.write(buf[:n])
		}
		if err != nil {
			r.note(true)
			return // at its end, or told to
		}
	}
}

// write adds data to the file, or counts it. After a loss the file goes on with a
// line of its own.
func (r *rescue) write(data []byte) {
	if r.torn {
		line := bytes.IndexByte(data, '\n') + 1 // 0 in a line without end
		if !r.startLine() {
			r.lose(len(data))
			return
		}
		r.lose(line)
		r.torn = false
		data = data[line:]
	}
	for len(data) > 0 {
		n, err := r.file.Write(data)
		data = data[n:]
		if err != nil {
			r.gap()
			r.lose(len(data))
			return
		}
	}
	r.note(false)
}

// startLine ends the line that the file ends with, and reports whether there was
// room for that and is for more.
func (r *rescue) startLine() bool {
	if full(r.path) {
		return false
	}
	if r.file == nil { // the first time, or the disk was read-only
		f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND|unix.O_NOFOLLOW, 0)
		if err != nil {
			return false
		}
		r.file = f
	}
	st, err := r.lock.Stat()
	if err != nil || st.Size() == 0 {
		return err == nil
	}
	last := make([]byte, 1)
	if _, err := r.lock.ReadAt(last, st.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	if last[0] == '\n' {
		return true
	}
	_, err = r.file.Write([]byte{'\n'})
	return err == nil
}

// gap notes that the file goes on behind something that is missing.
func (r *rescue) gap() {
	r.torn = true
	r.loss.Gaps++
	r.note(true)
}

func (r *rescue) lose(n int) {
	r.loss.Bytes += int64(n)
	r.note(false)
}

// note notes the loss, now or when it is time. A disk that takes no note now may
// do so later.
func (r *rescue) note(now bool) {
	if now || time.Since(r.noted) >= noteInterval {
		if err := r.loss.Note(r.path); err == nil || errors.Is(err, syscall.ENOTSUP) {
			r.noted = time.Now()
		}
	}
}
