package plugin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// maxLog is how much of its log an executor leaves on disk, in bytes. A host takes it
// from there and frees it, within a moment; without a host, what is over is dropped.
const maxLog = 16 << 20

// boundedLog writes to the file of an executor's log. It drops what would make it take
// more than maxLog on disk, and counts it.
type boundedLog struct {
	file *os.File

	mu      sync.Mutex
	dropped int
}

// Write implements io.Writer. It gets one line at a time.
func (l *boundedLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(l.file.Fd()), &st); err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG && st.Blocks*512 > maxLog {
		l.dropped++
		return len(line), nil
	}
	if l.dropped > 0 {
		_, _ = fmt.Fprintf(l.file, "%d lines of the log were dropped: nobody took it\n", l.dropped)
		l.dropped = 0
	}
	return l.file.Write(line)
}

var _ io.Writer = (*boundedLog)(nil)

// printToLog lets what is printed from here on go to the log, on whose file stderr is.
// Stdout is for the handshake alone, which the host has read. What go-plugin has made of
// os.Stdout and os.Stderr are pipes to the first host, which would block once that is
// gone. Their descriptors become the log's: the variables are read by other goroutines,
// that of the next connection among them, and so they stay as they are.
func printToLog() error {
	errs := []error{syscall.Dup3(syscall.Stderr, syscall.Stdout, 0)}
	for _, pipe := range []*os.File{os.Stdout, os.Stderr} {
		if fd := int(pipe.Fd()); fd > syscall.Stderr {
			errs = append(errs, syscall.Dup3(syscall.Stderr, fd, syscall.O_CLOEXEC))
		}
	}
	return errors.Join(errs...)
}
