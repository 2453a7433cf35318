package capture

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Source is a stream of a workload.
type Source struct {
	// From is our end of a pipe, or of a terminal. It does not block.
	From *os.File
	// To is closed when the stream has ended.
	To *Log
}

// Copier copies the streams of a workload.
type Copier struct {
	loops []*loop
	wg    sync.WaitGroup
}

// Start starts to copy. The caller closes the ends From, not before the copying has
// ended if others want to see that it has. After an error nothing is copied, and the logs
// are closed.
func Start(sources ...Source) (*Copier, error) {
	groups := [][]Source{sources}
	for _, s := range sources {
		if !s.To.plain {
			groups = nil
		}
	}
	if groups == nil {
		for _, s := range sources {
			groups = append(groups, []Source{s})
		}
	}
	c := &Copier{}
	for _, group := range groups {
		l, err := newLoop(group)
		if err != nil {
			c.Close()
			for _, s := range sources {
				s.To.Close()
			}
			return nil, err
		}
		c.loops = append(c.loops, l)
		c.wg.Go(l.run)
	}
	return c, nil
}

// Wait waits until all who could write to the streams are gone, and all that they wrote
// is in the files. It reports whether that is so, and returns at the end of ctx at the
// latest.
func (c *Copier) Wait(ctx context.Context) bool {
	done := make(chan struct{})
	go func() {
		c.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close ends the copying, and waits for that. It may be called again.
func (c *Copier) Close() {
	for _, l := range c.loops {
		l.close()
	}
	c.wg.Wait()
}

// loop copies streams in the order in which they are written.
type loop struct {
	epoll *os.File
	raw   interface {
		Read(func(uintptr) bool) error
	}
	streams []stream
	open    int
	buf     []byte
	last    *stream // the stream that was copied last
}

// stream is a stream of a loop.
type stream struct {
	Source
	fd int // of From, the loop's own; -1 at the end
	// read is when it was last read, and before that. A full pipe takes two reads, so what
	// is read now was written after the read before the last.
	read [2]time.Time
}

// bufferSize is half of what a pipe holds, so that the workload goes on writing while a
// piece is copied: with all of it the copy took 1.4 times as long.
const bufferSize = 32 << 10

func newLoop(sources []Source) (l *loop, err error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that waiting takes no thread
		return nil, errors.Join(err, unix.Close(fd))
	}
	l = &loop{epoll: os.NewFile(uintptr(fd), "epoll"), buf: make([]byte, bufferSize)}
	if l.raw, err = l.epoll.SyscallConn(); err != nil {
		return nil, errors.Join(err, l.epoll.Close())
	}
	begun := time.Now()
	for i, s := range sources {
		one := stream{Source: s, fd: -1, read: [2]time.Time{begun, begun}}
		if one.fd, err = duplicate(s.From); err == nil {
			err = unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, one.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
		}
		l.streams = append(l.streams, one)
		if err != nil {
			l.end()
			return nil, err
		}
	}
	l.open = len(sources)
	return l, nil
}

// duplicate returns a descriptor of f that nobody else closes.
func duplicate(f *os.File) (fd int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := conn.Control(func(from uintptr) { fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(cerr, err); err != nil {
		return -1, err
	}
	return fd, nil
}

// run copies until all streams have ended, or the loop is closed.
func (l *loop) run() {
	defer l.end()
	var events [2]unix.EpollEvent
	for l.open > 0 {
		n, waited, ok := l.wait(events[:])
		if !ok {
			return
		}
		l.rest(events[:n], waited)
		for _, e := range events[:n] {
			l.copy(&l.streams[e.Fd])
		}
	}
}

// wait waits until streams are ready, and reports whether that took any time. ok is false
// when the loop was closed.
func (l *loop) wait(events []unix.EpollEvent) (n int, waited, ok bool) {
	var failed error
	poll := func(fd uintptr) bool {
		n, failed = unix.EpollWait(int(fd), events, 0)
		return n > 0 || failed != nil && !errors.Is(failed, unix.EINTR)
	}
	first := true
	err := l.raw.Read(func(fd uintptr) bool {
		if poll(fd) {
			return true
		}
		if first { // nothing is ready: the time for all else
			first, waited = false, true
			if due := l.settle(); !due.IsZero() {
				_ = l.epoll.SetReadDeadline(due)
			}
		}
		return false
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		_ = l.epoll.SetReadDeadline(time.Time{})
		l.settle()
		return 0, true, true
	}
	return max(0, n), waited, err == nil && failed == nil
}

// settle lets the logs write what they have held back, and returns when they want to be
// called again.
func (l *loop) settle() (due time.Time) {
	now := time.Now()
	for i := range l.streams {
		if l.streams[i].fd < 0 {
			continue
		}
		if at := l.streams[i].To.settle(now); !at.IsZero() && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// rest notes which streams had nothing a moment ago: those that are not ready, and after
// a wait all.
func (l *loop) rest(ready []unix.EpollEvent, waited bool) {
	now := time.Now()
	for i := range l.streams {
		if waited || len(ready) == 1 && int(ready[0].Fd) != i {
			l.streams[i].read = [2]time.Time{now, now}
		}
	}
}

// copy copies what a stream has.
func (l *loop) copy(s *stream) {
	n, err := unix.Read(s.fd, l.buf)
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
		return
	}
	if n <= 0 { // EIO is the end of a terminal
		l.finish(s)
		return
	}
	now := time.Now()
	span := now.Sub(s.read[1])
	s.read = [2]time.Time{now, s.read[0]}
	s.To.write(l.buf[:n], now, span, l.last == s)
	l.last = s
}

// finish ends a stream. Package spool takes a file that is closed before its pipe for one
// whose copying has ended.
func (l *loop) finish(s *stream) {
	if s.fd < 0 {
		return
	}
	s.To.Close()
	_ = unix.Close(s.fd)
	s.fd = -1
	l.open--
}

// end ends all streams.
func (l *loop) end() {
	for i := range l.streams {
		l.finish(&l.streams[i])
	}
	_ = l.epoll.Close()
}

// close makes run end.
func (l *loop) close() {
	for i := range l.streams {
		if !l.streams[i].To.plain {
			l.streams[i].To.Close() // a write may wait for a reader
		}
	}
	_ = l.epoll.Close()
}
