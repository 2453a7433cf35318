package layer

import (
	"archive/tar"
	"errors"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Names with which a layer hides what is below it. They are those of aufs.
const (
	whiteoutPrefix = ".wh."
	metaPrefix     = whiteoutPrefix + whiteoutPrefix
	opaqueMarker   = metaPrefix + ".opq"
)

// opaqueXattr is the attribute by which overlay knows a directory that hides what is below.
const opaqueXattr = "trusted.overlay.opaque"

// isWhiteout reports whether something is a whiteout, as overlay knows it.
func isWhiteout(st unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0 }

// isWhiteoutDevice reports whether an entry is one, from an archive of an overlay's
// directory.
func isWhiteoutDevice(h *tar.Header) bool {
	return h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0
}

// whiteout hides a name of the layers below, or all names if hidden is the rest of the
// opaque marker.
func (u *unpacker) whiteout(at place, hidden string) error {
	if at.base == opaqueMarker {
		if len(u.below.fds) == 0 {
			return nil
		}
		if err := setXattr(at.dir, opaqueXattr, "y"); err != nil {
			return executor.Errorf(executor.Unsupported, "the file system cannot mark a directory as one that hides those below: %w", err)
		}
		return nil
	}
	if hidden == "" || hidden == "." || hidden == ".." {
		return executor.Errorf(executor.Invalid, "it hides no name")
	}
	at.path = at.path[:len(at.path)-len(at.base)] + hidden
	at.base = hidden
	return u.hide(at)
}

// hide hides a name of the layers below. What this layer has of that name stays: an entry
// counts wherever it is in the archive.
func (u *unpacker) hide(at place) error {
	st, err := at.stat()
	switch {
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return u.setOpaque(at)
	case err == nil:
		return nil
	case !errors.Is(err, unix.ENOENT):
		return disk(err)
	}
	// A whiteout of nothing would show up as a file in a directory that is only here.
	if _, ok, err := u.below.find(at.path); !ok {
		return err
	}
	if err := unix.Mknodat(at.dir, at.base, unix.S_IFCHR, 0); err != nil {
		return executor.Errorf(executor.Unsupported, "the file system cannot hide a file of the layers below: %w", err)
	}
	return nil
}

// setOpaque makes a directory hide what is below it.
func (u *unpacker) setOpaque(at place) error {
	if len(u.below.fds) == 0 {
		return nil
	}
	fd, err := at.openDir()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := setXattr(fd, opaqueXattr, "y"); err != nil {
		return executor.Errorf(executor.Unsupported, "the file system cannot mark a directory as one that hides those below: %w", err)
	}
	return nil
}

// openDir opens the directory at a place.
func (at place) openDir() (int, error) {
	fd, err := unix.Openat(at.dir, at.base, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, disk(err)
	}
	return fd, nil
}
