package layer

import (
	"context"
	"errors"
	"io"
	"os"
	"path"

	"github.com/davit-run/davit/host/internal/archive"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Pack writes what an upper directory of overlay changes of trees, the lowest first, as the
// archive of a layer. What is added at a path for which skip returns true is left out. The
// directory may change meanwhile: each file is in the archive in one of its states.
func Pack(ctx context.Context, w io.Writer, upper string, trees []string, skip func(path string) bool) error {
	list, err := Changes(ctx, upper, trees, skip)
	if err != nil {
		return err
	}
	fd, err := unix.Open(upper, unix.O_DIRECTORY|unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return disk(os.NewSyscallError("open", err))
	}
	defer unix.Close(fd)
	tar := archive.NewWriter(w)
	for _, c := range list {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := pack(tar, fd, c); err != nil {
			return err
		}
	}
	return tar.Close()
}

func pack(w archive.Writer, upper int, c Change) error {
	name := c.Path[1:]
	if c.Kind == Deleted {
		return w.AddEmpty(path.Join(path.Dir(name), whiteoutPrefix+path.Base(name)))
	}
	fd, err := linux.Openat2(upper, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // it was replaced meanwhile
	}
	if err != nil {
		return disk(os.NewSyscallError("openat2", err))
	}
	f := os.NewFile(uintptr(fd), c.Path)
	defer f.Close()
	return w.Add(f, name)
}
