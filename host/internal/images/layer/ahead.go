package layer

import (
	"errors"
	"io"
	"sync"
)

const (
	// aheadParts is how many parts of a stream are read ahead, and partSize their size: so
	// much memory is needed for any stream.
	aheadParts = 8
	partSize   = 256 << 10
)

// ahead is a reader that reads another one in a goroutine of its own, while what it has
// brought is used: decompressing a layer takes about as long as writing its files.
type ahead struct {
	full, free chan part
	done       chan struct{}
	wg         sync.WaitGroup
	now        part
	rest       []byte // of now
}

// part is a part of a stream, and the error with which the stream ends after it.
type part struct {
	buf []byte
	n   int
	err error
}

// readAhead begins to read r. All that is read is written to sum. The caller calls close,
// and uses neither r nor sum before that, or an error, has come.
func readAhead(r io.Reader, sum io.Writer) *ahead {
	a := &ahead{full: make(chan part, aheadParts), free: make(chan part, aheadParts), done: make(chan struct{})}
	for range aheadParts {
		a.free <- part{}
	}
	a.wg.Go(func() {
		for {
			var p part
			select {
			case p = <-a.free:
			case <-a.done:
				return
			}
			if p.buf == nil {
				p.buf = make([]byte, partSize)
			}
			p.n, p.err = io.ReadFull(r, p.buf)
			if errors.Is(p.err, io.ErrUnexpectedEOF) && p.n < partSize {
				p.err = shortEnd(r)
			}
			_, _ = sum.Write(p.buf[:p.n]) // a hash
			a.full <- p
			if p.err != nil {
				return
			}
		}
	})
	return a
}

// shortEnd returns the error with which a stream has ended within a part. [io.ReadFull] says
// the same of one that has ended and of one that was cut off.
func shortEnd(r io.Reader) error {
	n, err := r.Read(make([]byte, 1))
	if n > 0 || err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Read implements io.Reader.
func (a *ahead) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.now.err != nil {
			return 0, a.now.err
		}
		if a.now.buf != nil {
			a.free <- a.now
		}
		a.now = <-a.full
		a.rest = a.now.buf[:a.now.n]
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// close ends the goroutine, and waits for it.
func (a *ahead) close() {
	close(a.done)
	a.wg.Wait()
}
