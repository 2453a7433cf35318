package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/host/api"
	"github.com/davit-run/davit/host/internal/archive"
)

// describeHere describes a file of here. Its path is absolute.
func describeHere(path string, follow bool) (*api.PathInfo, error) {
	if path == "" {
		return nil, errors.New("a path is empty")
	}
	f, err := archive.OpenPath(path, follow)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := archive.Describe(f, archive.IDs{})
	if err != nil {
		return nil, err
	}
	if info.Path, err = filepath.Abs(path); err == nil && follow {
		info.Path, err = filepath.EvalSymlinks(info.Path)
	}
	return &info, err
}

// packHere calls send with a tar stream of a file of here, whose name in it is name.
func packHere(path string, follow bool, name string, send func(io.Reader) error) error {
	f, err := archive.OpenPath(path, follow)
	if err != nil {
		return err
	}
	defer f.Close()
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := archive.Pack(w, f, name, archive.IDs{})
		_ = w.CloseWithError(err)
		packed <- err
	}()
	err = send(r)
	_ = r.CloseWithError(errStreamOver)
	// An error here is what the other side has got too.
	if perr := <-packed; perr != nil && !errors.Is(perr, errStreamOver) {
		return perr
	}
	return err
}

// unpackHere unpacks in a directory of here the tar stream that receive writes.
func unpackHere(dir string, keep bool, receive func(io.Writer) error) error {
	root, err := archive.OpenDir(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r, w := io.Pipe()
	received := make(chan error, 1)
	go func() {
		err := receive(w)
		_ = w.CloseWithError(err)
		received <- err
	}()
	err = root.Unpack(".", r, archive.UnpackOptions{KeepOwners: keep, UID: os.Getuid(), GID: os.Getgid()})
	_ = r.CloseWithError(errStreamOver)
	if rerr := <-received; rerr != nil && !errors.Is(rerr, errStreamOver) {
		return rerr
	}
	return err
}

// errStreamOver tells who writes a stream that nobody reads the rest.
var errStreamOver = errors.New("the rest of the archive is not read")
