package linux

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is wrapped by errors about a file that is not a regular one.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file, and makes it with mode 0600 if flags have O_CREATE. It
// looks at the type before it opens anything: opening a FIFO can block for ever, and
// opening a device can have effects, such as a watchdog that starts to run. Anything
// but a regular file is an error that wraps [ErrNotRegular].
func Open(path string, flags int) (*os.File, error) {
	const tries = 10 // the file may come and go
	for range tries {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|flags&unix.O_NOFOLLOW, 0)
		if err == nil {
			return reopen(fd, path, flags)
		}
		if flags&os.O_CREATE == 0 || !errors.Is(err, unix.ENOENT) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		f, err := os.OpenFile(path, flags|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("it comes and goes")}
}

// OpenIn is [Open] for a path in a directory. resolve says how links are followed there,
// as in openat2.
func OpenIn(dir, path string, flags int, resolve uint64) (*os.File, error) {
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(at)
	fd, err := Openat2(at, path, &unix.OpenHow{
		Flags:   uint64(unix.O_PATH | unix.O_CLOEXEC | flags&unix.O_NOFOLLOW),
		Resolve: resolve | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return reopen(fd, path, flags)
}

// ReadFile reads a regular file that others may write, of at most most bytes. It is for
// all files that are not our own: one of a terabyte takes no memory.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadAll(f, most)
}

// ReadAll reads a stream or file of at most most bytes.
func ReadAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, fmt.Errorf("it has more than %d bytes", most)
	}
	return b, err
}

// reopen opens the regular file that an O_PATH descriptor refers to, and closes that.
func reopen(fd int, path string, flags int) (*os.File, error) {
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := regular(st.Mode); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	flags &^= os.O_CREATE | unix.O_NOFOLLOW
	again, err := unix.Open(FDPath(fd), flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(again), path), nil
}

// regular says what a file is that is not a regular one.
func regular(mode uint32) error {
	what := "an unknown kind of file"
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return unix.EISDIR
	case unix.S_IFLNK:
		return unix.ELOOP
	case unix.S_IFIFO:
		what = "a FIFO"
	case unix.S_IFSOCK:
		what = "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		what = "a device"
	}
	return notRegular{what}
}

type notRegular struct{ what string }

func (e notRegular) Error() string { return e.what + ", " + ErrNotRegular.Error() }
func (e notRegular) Unwrap() error { return ErrNotRegular }
