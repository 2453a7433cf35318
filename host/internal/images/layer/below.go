package layer

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// below is what the layers below show together.
type below struct{ fds []int } // of their trees, the highest first

// openBelow opens trees, the lowest first.
func openBelow(trees []string) (*below, error) {
	b := &below{}
	for _, tree := range slices.Backward(trees) {
		fd, err := unix.Open(tree, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			b.close()
			return nil, disk(os.NewSyscallError("open", err))
		}
		b.fds = append(b.fds, fd)
	}
	return b, nil
}

func (b *below) close() {
	for _, fd := range b.fds {
		unix.Close(fd)
	}
}

// found is something in a layer below.
type found struct {
	place // relative to the tree, whose descriptor is the dir
	st    unix.Stat_t
}

// find looks for a path as overlay does: name by name, through the directories of that
// name which no higher layer hides.
func (b *below) find(path string) (f found, ok bool, err error) {
	names := strings.Split(strings.TrimPrefix(path, "/"), "/")
	trees := b.fds
	at := ""
	for i, name := range names {
		at = strings.TrimPrefix(at+"/"+name, "/")
		var next []int
		ok = false
		for _, fd := range trees {
			var st unix.Stat_t
			err := unix.Fstatat(fd, at, &st, unix.AT_SYMLINK_NOFOLLOW)
			if errors.Is(err, unix.ENOENT) {
				continue
			}
			if err != nil {
				return found{}, false, disk(err)
			}
			dir := st.Mode&unix.S_IFMT == unix.S_IFDIR
			if !ok && !isWhiteout(st) {
				f, ok = found{place{fd, at, path}, st}, true
			}
			if !dir {
				break
			}
			next = append(next, fd)
			opaque, err := isOpaque(fd, at)
			if err != nil {
				return found{}, false, err
			}
			if opaque {
				break
			}
		}
		if !ok || i < len(names)-1 && len(next) == 0 {
			return found{}, false, nil
		}
		if i < len(names)-1 && f.st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return found{}, false, nil
		}
		trees = next
	}
	return f, ok, nil
}

// isOpaque reports whether a directory hides those below.
func isOpaque(fd int, path string) (bool, error) {
	var value [1]byte
	n, err := unix.Lgetxattr(linux.FDPath(fd)+"/"+path, opaqueXattr, value[:])
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
		return false, nil
	case err != nil:
		return false, disk(err)
	}
	return n == 1 && value[0] == 'y', nil
}

// copyUp copies a file of the layers below to this one, if there is one.
func (u *unpacker) copyUp(at place) error {
	f, ok, err := u.below.find(at.path)
	if !ok {
		return err
	}
	switch f.st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return nil // whoever asked finds that it cannot be linked to
	case unix.S_IFREG:
		return u.copyFile(at, f)
	case unix.S_IFLNK:
		target, err := os.Readlink(f.proc())
		if err == nil {
			err = unix.Symlinkat(target, at.dir, at.base)
		}
		if err != nil {
			return disk(err)
		}
	default:
		if err := unix.Mknodat(at.dir, at.base, f.st.Mode, int(f.st.Rdev)); err != nil {
			return disk(err)
		}
	}
	a, err := attributesAt(f)
	if err != nil {
		return err
	}
	return u.setAttributes(at, a)
}

func (u *unpacker) copyFile(at place, f found) error {
	from, err := unix.Openat(f.dir, f.base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return disk(err)
	}
	src := os.NewFile(uintptr(from), f.path)
	defer src.Close()
	a, err := attributesAt(f)
	if err != nil {
		return err
	}
	return u.create(at, src, a)
}

// finish gives directories without an entry the attributes of those below, and all
// directories their times.
func (u *unpacker) finish() error {
	for path := range u.implied {
		f, ok, err := u.below.find(path)
		if err != nil {
			return err
		}
		if !ok || f.st.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		a, err := attributesAt(f)
		if err != nil {
			return err
		}
		if err := u.finishDir(path, &a); err != nil {
			return err
		}
	}
	for path := range u.times {
		if err := u.finishDir(path, nil); err != nil {
			return err
		}
	}
	return nil
}

// finishDir sets the attributes of a directory, or its times alone, if it is still there.
func (u *unpacker) finishDir(path string, a *attributes) error {
	fd, err := linux.Openat2(u.root, strings.TrimPrefix(path, "/"), &unix.OpenHow{
		Flags: unix.O_DIRECTORY | unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: how | unix.RESOLVE_NO_SYMLINKS,
	})
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // another entry took its place
	}
	if err != nil {
		return disk(err)
	}
	defer unix.Close(fd)
	if a != nil {
		return setAttributes(fd, *a)
	}
	times := u.times[path]
	return disk0(linux.SetTimes(fd, times))
}

func disk0(err error) error {
	if err == nil {
		return nil
	}
	return disk(err)
}
