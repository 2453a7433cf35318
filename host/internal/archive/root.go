package archive

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Root is a tree of directories out of which no path leads. It is safe for concurrent use.
type Root struct {
	dir     *os.File
	resolve uint64
	held    []*os.File
}

// OpenRoot opens a tree as a process whose root it is would see it: links in it are
// followed there, also absolute ones. Links of /proc to elsewhere are not.
func OpenRoot(path string) (*Root, error) {
	dir, err := openPath(path, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Root{dir: dir, resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}, nil
}

// OpenDir opens a directory in which no link is followed.
func OpenDir(path string) (*Root, error) {
	r, err := OpenRoot(path)
	if err == nil {
		r.resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS
	}
	return r, err
}

// Hold closes a file together with r. An open namespace keeps what is mounted in it.
func (r *Root) Hold(f *os.File) { r.held = append(r.held, f) }

// Close closes the tree.
func (r *Root) Close() error {
	errs := []error{r.dir.Close()}
	for _, f := range r.held {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Dir returns the directory that is the root, as an O_PATH descriptor of r.
func (r *Root) Dir() *os.File { return r.dir }

// Open returns an O_PATH descriptor of a file. follow says whether that is what a link
// leads to, if the path is one. A path that ends with a slash or a dot is always followed.
func (r *Root) Open(path string, follow bool) (*os.File, error) {
	flags := 0
	if !follow {
		flags = unix.O_NOFOLLOW
	}
	return openAt(r.dir, strings.TrimLeft(path, "/"), flags, r.resolve)
}

// Inside returns the path of a file that Open has returned, without links.
func (r *Root) Inside(f *os.File) (string, error) {
	root, err := os.Readlink(fdPath(r.dir))
	if err != nil {
		return "", err
	}
	path, err := os.Readlink(fdPath(f))
	if err != nil {
		return "", err
	}
	inside, ok := strings.CutPrefix(path, strings.TrimSuffix(root, "/"))
	if !ok || inside != "" && inside[0] != '/' {
		return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("it was moved meanwhile")}
	}
	return "/" + strings.TrimPrefix(inside, "/"), nil
}

// OpenPath returns an O_PATH descriptor of a file anywhere.
func OpenPath(path string, follow bool) (*os.File, error) {
	if follow {
		return openPath(path, 0)
	}
	return openPath(path, unix.O_NOFOLLOW)
}

func openPath(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// openAt returns an O_PATH descriptor of a file in a directory.
func openAt(dir *os.File, path string, flags int, resolve uint64) (*os.File, error) {
	if path == "" {
		path = "."
	}
	fd, err := linux.Openat2(int(dir.Fd()), path, &unix.OpenHow{Flags: uint64(unix.O_PATH | unix.O_CLOEXEC | flags), Resolve: resolve})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// child returns an O_PATH descriptor of an entry of a directory.
func child(dir *os.File, name string) (*os.File, error) {
	return openAt(dir, name, unix.O_NOFOLLOW, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
}

// fdPath returns a path that leads to what an O_PATH descriptor refers to.
func fdPath(f *os.File) string { return linux.FDPath(int(f.Fd())) }

// reopen opens what an O_PATH descriptor refers to for reading or writing. It has to be a
// regular file or a directory: others may wait, or do something.
func reopen(f *os.File, flags int) (*os.File, error) {
	fd, err := unix.Open(fdPath(f), flags|unix.O_CLOEXEC|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	_ = unix.SetNonblock(fd, false) // of a regular file it means nothing
	return os.NewFile(uintptr(fd), f.Name()), nil
}
