package capture

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/notes"
)

// Log is a file, a FIFO or /dev/null to which output goes. It is safe for concurrent use.
type Log struct {
	path  string
	plain bool // a regular file
	max   int64

	mu    sync.Mutex
	file  *os.File
	index *index // nil if nothing is noted
	// size is where the next output goes. Everything below low is dropped.
	size, low int64
	uncapped  bool // the file system has no holes

	loss  executor.Loss
	noted time.Time
	// torn says that the next output does not directly follow the end of the file.
	torn bool
}

// lossInterval is how often a growing loss is noted.
const lossInterval = time.Second

// room is how much room a disk must have before a file on it goes on after a loss.
const room = 64 << 10

// OpenLog opens the file of a stream. A FIFO is opened for reading, too, so that it has a
// reader for as long as it is written to.
func OpenLog(s executor.Stream) (*Log, error) {
	if s.Path == "" {
		s.Path = os.DevNull
	}
	f, err := os.OpenFile(s.Path, os.O_RDWR|os.O_APPEND|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	l, err := newLog(s, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// Resume returns a log for a file in which output is missing from now on. It needs no
// room on the disk, and no right to write yet.
func Resume(s executor.Stream) (*Log, error) {
	l, err := newLog(s, nil)
	if err != nil {
		return nil, err
	}
	if !l.plain {
		return nil, &os.PathError{Op: "append", Path: s.Path, Err: syscall.EINVAL}
	}
	l.gap()
	return l, nil
}

func newLog(s executor.Stream, f *os.File) (*Log, error) {
	st, err := os.Stat(s.Path)
	if err != nil {
		return nil, err
	}
	l := &Log{path: s.Path, plain: st.Mode().IsRegular(), file: f, max: s.Max, size: st.Size()}
	if !l.plain {
		return l, nil
	}
	if l.loss, err = executor.ReadLoss(s.Path); err != nil {
		return nil, err
	}
	if f != nil {
		l.low, _ = firstData(f)
	}
	l.index = openIndex(s.Index)
	return l, nil
}

// firstData returns the offset of the first byte that a file still has.
func firstData(f *os.File) (at int64, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := conn.Control(func(fd uintptr) { at, err = unix.Seek(int(fd), 0, unix.SEEK_DATA) })
	if err = errors.Join(err, cerr); err != nil {
		at = 0
	}
	return at, err
}

// Write appends output that was just written. It always succeeds: what does not reach
// the file is counted as lost.
func (l *Log) Write(p []byte) (int, error) {
	now := time.Now()
	l.write(p, now, 0, false)
	l.settle(now)
	return len(p), nil
}

// write appends output that came within span before at. follows says that nothing came
// on another stream since the last.
func (l *Log) write(p []byte, at time.Time, span time.Duration, follows bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.plain {
		_, _ = l.file.Write(p) // a reader who has gone does not stop the workload
		return
	}
	if l.torn {
		if p = l.mend(p); l.torn {
			return
		}
	}
	l.index.add(notes.Note{Offset: l.size + int64(len(p)), At: at, Span: span}, follows)
	n, err := l.file.Write(p)
	l.size += int64(n)
	if err != nil {
		l.gap()
		l.discard(len(p) - n)
		return
	}
	if l.loss.Bytes > 0 {
		l.note(false)
	}
	l.cut()
}

// mend goes on after a loss, with a new line. It returns what of p belongs there. If there
// is no room, the log is still torn.
func (l *Log) mend(p []byte) []byte {
	line := bytes.IndexByte(p, '\n') + 1 // 0 in a line without end
	if !l.startLine() {
		l.discard(len(p))
		return nil
	}
	l.discard(line)
	l.torn = false
	return p[line:]
}

// startLine ends the last line of the file, and reports whether there was room for that
// and for more.
func (l *Log) startLine() bool {
	if Full(l.path) {
		return false
	}
	if l.file == nil { // the first time, or the disk was read-only
		f, err := linux.Open(l.path, os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW)
		if err != nil {
			return false
		}
		l.file = f
		l.low, _ = firstData(f)
	}
	st, err := l.file.Stat()
	if err != nil {
		return false
	}
	l.size = st.Size()
	if l.size == 0 {
		return true
	}
	last := make([]byte, 1)
	if _, err := l.file.ReadAt(last, l.size-1); err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	if last[0] == '\n' {
		return true
	}
	n, err := l.file.Write([]byte{'\n'})
	l.size += int64(n)
	return err == nil
}

// Full reports whether the disk of a file has no room for another piece of output.
func Full(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Bavail*uint64(st.Bsize) < room
}

// cut drops the oldest output beyond the limit, so that three quarters of it are left.
func (l *Log) cut() {
	if l.max <= 0 || l.size-l.low <= l.max || l.uncapped {
		return
	}
	low, err := linux.Punch(l.file, l.size-l.max/4*3)
	if err != nil {
		l.uncapped = true
		return
	}
	l.low = max(l.low, low)
	l.index.trim(l.low)
}

// gap notes that something is missing at the end of the file.
func (l *Log) gap() {
	l.torn = true
	l.loss.Gaps++
	l.note(true)
}

func (l *Log) discard(n int) {
	if n > 0 {
		l.loss.Bytes += int64(n)
		l.note(false)
	}
}

// note writes the loss to the file's attribute, at once or when it is time. A disk that
// refuses it now may accept it later.
func (l *Log) note(now bool) {
	if now || time.Since(l.noted) >= lossInterval {
		if err := l.loss.Note(l.path); err == nil || errors.Is(err, syscall.ENOTSUP) {
			l.noted = time.Now()
		}
	}
}

// settle writes notes that are due, and returns when others will be; zero if there are
// none.
func (l *Log) settle(now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.index.settle(now)
}

// Close closes the file.
func (l *Log) Close() {
	if !l.plain { // a write may wait for a reader
		_ = l.file.Close()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loss != (executor.Loss{}) {
		l.note(true)
	}
	l.index.close()
	_ = l.file.Close() // nil has an answer to that
}
