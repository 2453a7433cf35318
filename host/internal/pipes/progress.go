package pipes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Progress is a file that has how far each stream of a process has come.
type Progress struct {
	Stdin, Stdout, Stderr *Counter

	file *os.File
}

// Counter counts the bytes of one stream. It is not safe for concurrent use, except for
// Done.
type Counter struct {
	file *os.File
	at   int64
	name string

	mu            sync.Mutex
	done, pending int64
}

const counterSize = 16

// OpenProgress opens the file at a path, and makes it if there is none. The host that
// counted in it before has ended.
func OpenProgress(path string) (*Progress, error) {
	f, err := linux.Open(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW)
	if err != nil {
		return nil, executor.ExplainDisk(path, executor.Errorf(executor.Unavailable, "progress of the streams: %w", err))
	}
	p := &Progress{file: f}
	for i, c := range []struct {
		to   **Counter
		name string
	}{{&p.Stdin, "stdin"}, {&p.Stdout, "stdout"}, {&p.Stderr, "stderr"}} {
		if *c.to, err = openCounter(f, int64(i)*counterSize, c.name); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	return p, nil
}

// Close closes the file.
func (p *Progress) Close() error { return p.file.Close() }

func openCounter(f *os.File, at int64, name string) (*Counter, error) {
	c := &Counter{file: f, at: at, name: name}
	var b [counterSize]byte
	if n, err := f.ReadAt(b[:], at); n < len(b) {
		if !errors.Is(err, io.EOF) {
			return nil, executor.Errorf(executor.Unavailable, "progress of %s: %w", name, err)
		}
		return c, nil
	}
	c.done, c.pending = int64(binary.LittleEndian.Uint64(b[:8])), int64(binary.LittleEndian.Uint64(b[8:]))
	if c.done < 0 || c.pending < 0 {
		return nil, executor.Errorf(executor.Internal, "progress of %s: %d and %d bytes are not possible", name, c.done, c.pending)
	}
	return c, nil
}

// Done returns how many bytes have gone through the stream.
func (c *Counter) Done() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// Torn returns a [TornError] if a host was killed while it moved bytes.
func (c *Counter) Torn() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == 0 {
		return nil
	}
	return &TornError{Stream: c.name, After: c.done, Bytes: c.pending}
}

// Skip counts bytes that are not moved.
func (c *Counter) Skip(n int) error { return c.set(c.Done()+int64(n), 0) }

// move counts the bytes that fn moves, at most most. A host that is killed in fn leaves
// them as pending.
func (c *Counter) move(most int, fn func() (int, error)) (int, error) {
	if err := c.Torn(); err != nil {
		return 0, err
	}
	if err := c.set(c.Done(), int64(most)); err != nil {
		return 0, err
	}
	n, err := fn()
	if serr := c.set(c.Done()+int64(max(n, 0)), 0); err == nil {
		err = serr
	}
	return n, err
}

func (c *Counter) set(done, pending int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b [counterSize]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(done))
	binary.LittleEndian.PutUint64(b[8:], uint64(pending))
	if _, err := c.file.WriteAt(b[:], c.at); err != nil {
		return executor.ExplainDisk(c.file.Name(), executor.Errorf(executor.Unavailable, "progress of %s: %w", c.name, err))
	}
	c.done, c.pending = done, pending
	return nil
}

// TornError is the error of a stream of which nobody can know any more how far it has
// come: a host was killed in the moment in which it moved bytes.
type TornError struct {
	Stream string
	// After is how many bytes are certain, Bytes how many may have been moved or not.
	After, Bytes int64
}

func (e *TornError) Error() string {
	return fmt.Sprintf("%s is certain only up to byte %d: a host was killed while it moved the next %d, and nobody knows which of them", e.Stream, e.After, e.Bytes)
}

// Unwrap returns the code.
func (e *TornError) Unwrap() error { return executor.OutcomeUnknown }
