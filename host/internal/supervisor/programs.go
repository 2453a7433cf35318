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

	"github.com/davit-run/davit/shared/linux"
	"github.com/davit-run/davit/shared/trust"
	"golang.org/x/sys/unix"
)

// Programs keeps copies of the executors' programs, each under the digest of its
// contents. Executors run from these copies, and so do the shims and monitors that they
// start from their own program. A change of an installed file therefore changes nothing
// that runs, and an executor that starts such a process again starts the same program. A
// copy is removed when no process runs it any more. Programs is safe for concurrent use.
// A directory has one Programs.
type Programs struct {
	dir    string
	noexec bool

	mu sync.RWMutex // held for writing while copies are removed

	knownMu sync.Mutex
	known   map[fileID]string // paths of copies, by what they are copies of
}

// fileID identifies a version of a file. Users cannot set its change time back.
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

// OpenPrograms returns a Programs that keeps its copies in dir, which lies in a directory
// of the host's own.
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

// use calls start with the path of a copy of binary. It keeps the copy until start
// returns and, from then on, while a process runs it. If p is nil, or files in its
// directory cannot be executed, the copy is in memory and image is its descriptor.
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

// path returns the path of a copy. The name shows in lists of processes.
func (p *Programs) path(b Binary, digest string) string {
	return filepath.Join(p.dir, filepath.Base(b.Path)+"."+digest)
}

func digestIn(path string) string { return strings.TrimPrefix(filepath.Ext(path), ".") }

// find returns the path of an existing copy of a program, or an empty path.
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

// intact reports whether the copy at path exists and is whole.
func intact(path, digest string) bool {
	file, err := linux.Open(path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = Binary{Path: path, SHA256: digest}.copyTo(io.Discard, file)
	return err == nil
}

// add makes a copy. It computes the digest of what it writes, whatever happens to the
// source meanwhile.
func (p *Programs) add(b Binary, source io.Reader) (path string, err error) {
	// A process that is forked while the file is open for writing would have it open
	// too. The copy could not be executed until that process has called exec.
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
