package supervisor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/davit-run/davit/host/internal/trust"
	"golang.org/x/sys/unix"
)

// Programs keeps copies of the executors' programs, each under the digest of what
// is in it. Executors run from these copies, and so do the shims and monitors
// that they make of their own program: what is done to an installed file changes
// nothing that runs, and what starts again is what was started before. A copy
// goes when no process runs it any more. Programs is safe for concurrent use; one
// directory has one owner.
type Programs struct {
	dir    string
	noexec bool

	mu sync.RWMutex // held for writing while copies are removed

	knownMu sync.Mutex
	known   map[fileID]string // paths of copies, by what they are copies of
}

// fileID tells versions of files apart. Times of change cannot be set back.
type fileID struct {
	dev, ino   uint64
	size       int64
	sec, nanos int64
}

func idOf(info fs.FileInfo) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{uint64(st.Dev), st.Ino, st.Size, int64(st.Ctim.Sec), int64(st.Ctim.Nsec)}
}

// OpenPrograms keeps copies in dir, which lies in a directory of the host's own.
func OpenPrograms(dir string) (*Programs, error) {
	// Executors of other users have to get through it.
	if err := trust.Dir(dir, 0o711, os.Geteuid(), os.Getegid()); err != nil {
		return nil, err
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return &Programs{dir: dir, noexec: st.Flags&unix.ST_NOEXEC != 0, known: map[fileID]string{}}, nil
}

// use calls start with the path of a copy of binary, and keeps the copy until
// start returns and, from then on, while a process runs it. Where nothing can be
// executed, or p is nil, the copy is in memory; image is then its descriptor.
func (p *Programs) use(b Binary, start func(path string, image *os.File) error) error {
	if p == nil || p.noexec {
		image, err := b.inMemory()
		if err != nil {
			return err
		}
		defer image.Close()
		return start(b.Path, image)
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	path, err := p.copyOf(b)
	if err != nil {
		return err
	}
	return start(path, nil)
}

func (p *Programs) copyOf(b Binary) (string, error) {
	source, info, err := b.open()
	if err != nil {
		return "", err
	}
	defer source.Close()
	id := idOf(info)
	p.knownMu.Lock()
	path := p.known[id]
	p.knownMu.Unlock()
	if path != "" && (b.SHA256 == "" || strings.EqualFold(digestIn(path), b.SHA256)) {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	if path, err = p.find(b, source); err != nil {
		return "", err
	}
	if path == "" {
		if path, err = p.add(b, source); err != nil {
			return "", fmt.Errorf("keeping a copy of %s: %w", b.Path, err)
		}
	}
	p.knownMu.Lock()
	p.known[id] = path
	p.knownMu.Unlock()
	return path, nil
}

// path is where a copy is kept: the name shows in lists of processes.
func (p *Programs) path(b Binary, digest string) string {
	return filepath.Join(p.dir, filepath.Base(b.Path)+"."+digest)
}

func digestIn(path string) string { return strings.TrimPrefix(filepath.Ext(path), ".") }

// find gives the copy that there is of a program, or an empty path.
func (p *Programs) find(b Binary, source io.ReadSeeker) (path string, err error) {
	if copies, _ := filepath.Glob(p.path(b, "*")); len(copies) == 0 {
		return "", nil
	}
	digest, err := b.copyTo(io.Discard, source)
	if err != nil {
		return "", err
	}
	if path = p.path(b, digest); intact(path, digest) {
		return path, nil
	}
	_, err = source.Seek(0, io.SeekStart)
	return "", err
}

// intact reports whether the copy at path is there and whole.
func intact(path, digest string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = Binary{Path: path, SHA256: digest}.copyTo(io.Discard, file)
	return err == nil
}

// add makes a copy. Its digest is that of what was written, whatever happens to
// the source meanwhile.
func (p *Programs) add(b Binary, source io.Reader) (path string, err error) {
	// A process that is started while the file is open for writing would have it
	// open too, and until it has become another program the copy could not be
	// executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	file, err := os.CreateTemp(p.dir, ".new-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	digest, err := b.copyTo(file, source)
	if err == nil {
		err = file.Chmod(0o555)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	path = p.path(b, digest)
	return path, os.Rename(file.Name(), path)
}

// sweep removes the copies that no process runs.
func (p *Programs) sweep() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	idle := map[fileID]string{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			idle[inode(info)] = filepath.Join(p.dir, e.Name())
		}
	}
	running, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return err
	}
	for _, exe := range running {
		if info, err := os.Stat(exe); err == nil {
			delete(idle, inode(info))
		}
	}
	var errs []error
	for _, path := range idle {
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

func inode(info fs.FileInfo) fileID {
	id := idOf(info)
	return fileID{dev: id.dev, ino: id.ino}
}
