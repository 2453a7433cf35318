package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// root is an opened root file system.
type root struct {
	dir    int
	path   string   // its real one
	mounts []string // whose content is not seen
}

// errUnknown says that a file may be one that is not seen.
var errUnknown = errors.New("it may be on a mount")

func openRoot(path string, mounts []string) (*root, error) {
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r := &root{dir: dir}
	if r.path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", dir)); err != nil {
		r.close()
		return nil, err
	}
	for _, m := range mounts {
		r.mounts = append(r.mounts, filepath.Join("/", m))
	}
	return r, nil
}

func (r *root) close() { _ = unix.Close(r.dir) }

// open opens a file within the root without its content, and with symbolic links
// followed as a process there would.
func (r *root) open(path string) (int, error) {
	if r.hidden(path) {
		return -1, errUnknown
	}
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := linux.Openat2(r.dir, path, how)
	if err != nil {
		if len(r.mounts) > 0 && !errors.Is(err, unix.ELOOP) && r.hasLinks(path) {
			err = errUnknown // a link may lead to a mount
		}
		return -1, err
	}
	real, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err == nil && r.hidden(strings.TrimPrefix(real, strings.TrimSuffix(r.path, "/"))) {
		err = errUnknown
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// hasLinks reports whether there is a symbolic link on the way to a file that is not
// found.
func (r *root) hasLinks(path string) bool {
	fd, err := linux.Openat2(r.dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS})
	if err == nil {
		_ = unix.Close(fd)
	}
	return errors.Is(err, unix.ELOOP)
}

// hidden reports whether something is mounted where a path leads.
func (r *root) hidden(path string) bool {
	path = filepath.Clean(path)
	for _, m := range r.mounts {
		if m == "/" || path == m || strings.HasPrefix(path, m+"/") {
			return true
		}
	}
	return false
}

// executable checks that there is a file that may be executed.
func (r *root) executable(path string) error {
	fd, err := r.open(path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return errors.New("is a directory")
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("is not a regular file")
	case st.Mode&0o111 == 0:
		return errors.New("is not executable")
	}
	return nil
}

// maxInterpreters is how many scripts may be the interpreters of each other.
const maxInterpreters = 4

// program checks that a file, which is executable, has a format that the kernel can
// execute, and that the interpreter of a script exists.
func (r *root) program(path string, depth int) error {
	start, err := r.read(path)
	if err != nil {
		return nil // it is there, and what it is only the kernel can say
	}
	line, script := bytes.CutPrefix(start, []byte("#!"))
	switch {
	case !script && (bytes.HasPrefix(start, []byte("\x7fELF")) || moreFormats()):
		return nil
	case !script:
		return executor.Errorf(executor.CommandNotExecutable, "%s: %w; it is neither a program nor a script that begins with #!", path, unix.ENOEXEC)
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return executor.Errorf(executor.CommandNotExecutable, "%s: %w; its first line names no interpreter", path, unix.ENOEXEC)
	}
	interpreter := words[0]
	if depth >= maxInterpreters {
		return executor.Errorf(executor.CommandNotExecutable, "%s: too many interpreters: %w", path, unix.ELOOP)
	}
	if !filepath.IsAbs(interpreter) {
		return nil // from the working directory
	}
	err = r.executable(interpreter)
	switch {
	case err == nil:
		return r.program(interpreter, depth+1)
	case errors.Is(err, errUnknown):
		return nil
	case isMissing(err):
		return executor.Errorf(executor.CommandNotFound, "%s: its interpreter %q: no such file", path, interpreter)
	}
	return executor.Errorf(executor.CommandNotExecutable, "%s: its interpreter %q: %w", path, interpreter, err)
}

// read returns the beginning of a regular file: as much as the kernel looks at.
func (r *root) read(path string) ([]byte, error) {
	fd, err := r.open(path)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// Only a regular file came this far, so that this neither blocks nor has an effect.
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, 256)
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return b[:n], err
}
