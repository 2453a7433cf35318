// Package fifo holds the FIFOs that processes write to, so that nothing is lost while
// nobody else reads them: see [executor.CapExec].
package fifo

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
)

// Holder has the output FIFOs of processes open for reading, and never reads. The zero
// value is ready. It is safe for concurrent use.
type Holder struct {
	mu     sync.Mutex
	held   map[executor.Ref][]*os.File
	inputs map[executor.Ref]*os.File
}

// Hold opens the output FIFOs of a process. What is held already is not opened again. It
// is called before the process is started, and again by the next executor.
func (h *Holder) Hold(ref executor.Ref, stdio executor.Stdio) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, is := h.held[ref]; is {
		return nil
	}
	files := []*os.File{}
	for _, s := range []executor.Stream{stdio.Stdout, stdio.Stderr} {
		if s.Kind != executor.StreamFIFO || s == stdio.Stdout && len(files) > 0 {
			continue
		}
		f, err := Open(s.Path, os.O_RDONLY)
		if err != nil {
			closeAll(files)
			return err
		}
		files = append(files, f)
	}
	if h.held == nil {
		h.held = map[executor.Ref][]*os.File{}
	}
	if len(files) > 0 {
		h.held[ref] = files
	}
	return nil
}

// Open opens a FIFO without waiting for its other end. Without a reader, the error of an
// open for writing is ENXIO.
func Open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && st.Mode().Type() != os.ModeNamedPipe {
		err = executor.Errorf(executor.Invalid, "%s is not a FIFO", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// Drop closes all FIFOs of a process. What nobody has read is lost.
func (h *Holder) Drop(ref executor.Ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	closeAll(h.held[ref])
	delete(h.held, ref)
	h.closeInput(ref)
}

// Close closes all FIFOs.
func (h *Holder) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, files := range h.held {
		closeAll(files)
	}
	h.held = nil
	for _, w := range h.inputs {
		_ = w.Close()
	}
	h.inputs = nil
}

// quiet is how long nothing may be written to a FIFO until it is taken for drained
// although somebody has it open for writing.
const quiet = 2 * time.Second

// Drained waits until somebody has read all that a process has written that has ended.
// The output is truncated if others still have a FIFO open for writing, and have been
// quiet for a while. If the process has no FIFO that is held, the output is complete. The
// error is that of ctx.
func (h *Holder) Drained(ctx context.Context, ref executor.Ref) (executor.Output, error) {
	h.mu.Lock()
	files := h.held[ref]
	h.mu.Unlock()
	output := executor.Complete
	for _, f := range files {
		one, err := drained(ctx, f)
		if err != nil {
			return "", err
		}
		if one != executor.Complete {
			output = one
		}
	}
	return output, nil
}

func drained(ctx context.Context, f *os.File) (executor.Output, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return executor.Truncated, nil //nolint:nilerr // it was dropped
	}
	// The kernel says that a FIFO has no writer only if there was one since it was
	// opened, and that may have been too late.
	if w, err := os.OpenFile(f.Name(), os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
		_ = w.Close()
	} else if !errors.Is(err, unix.ENXIO) {
		return executor.Truncated, nil // nobody can read it any more
	}
	defer context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		_ = f.SetReadDeadline(time.Now().Add(quiet))
		if err := ctx.Err(); err != nil {
			return "", context.Cause(ctx)
		}
		var over bool
		if err := raw.Control(func(fd uintptr) { over = hungUp(fd) }); err != nil {
			return executor.Truncated, nil //nolint:nilerr // it was dropped
		}
		woken := over || wakes(raw.Read)
		left, err := unread(raw.Control)
		switch {
		case err != nil:
			return executor.Truncated, nil //nolint:nilerr // it was dropped
		case left == 0 && over:
			return executor.Complete, nil
		case left == 0 && !woken && ctx.Err() == nil:
			return executor.Truncated, nil
		case !over && woken:
			pause = 10 * time.Millisecond
			continue
		}
		// Nothing tells who does not read that others have read.
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// hungUp reports whether nobody has a FIFO open for writing.
func hungUp(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0 && p[0].Revents&unix.POLLHUP != 0
}

// unread returns how much a FIFO has, in bytes.
func unread(control func(func(uintptr)) error) (n int, err error) {
	cerr := control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n, errors.Join(err, cerr)
}

// wakes waits until something is written to a FIFO, or its last writer goes. It reports
// whether one of that came before the deadline.
func wakes(read func(func(uintptr) bool) error) bool {
	first := true
	return read(func(fd uintptr) bool {
		if first {
			first = false
			return hungUp(fd)
		}
		return true
	}) == nil
}
