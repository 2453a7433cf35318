package layer

import (
	"archive/tar"
	"bytes"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// attributes are what a file has beside its content.
type attributes struct {
	uid, gid int
	mode     uint32 // permissions alone
	times    [2]unix.Timespec
	xattrs   map[string]string
}

const paxXattr = "SCHILY.xattr."

// attributesOf returns the attributes of an entry.
func attributesOf(h *tar.Header) attributes {
	a := attributes{uid: h.Uid, gid: h.Gid, mode: uint32(h.Mode) & 0o7777}
	accessed := h.AccessTime
	if accessed.IsZero() {
		accessed = h.ModTime
	}
	a.times = [2]unix.Timespec{timespec(accessed), timespec(h.ModTime)}
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, paxXattr); ok && !reserved(name) {
			if a.xattrs == nil {
				a.xattrs = map[string]string{}
			}
			a.xattrs[name] = value
		}
	}
	return a
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// reserved reports whether an attribute is the overlay file system's own. One in an
// archive could make other directories appear.
func reserved(name string) bool {
	return strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay.")
}

// attributesAt returns the attributes of a file of a layer below.
func attributesAt(f found) (attributes, error) {
	a := attributes{uid: int(f.st.Uid), gid: int(f.st.Gid), mode: f.st.Mode & 0o7777, times: [2]unix.Timespec{f.st.Atim, f.st.Mtim}}
	all, err := xattrsAt(f.proc())
	if err != nil {
		return a, disk(err)
	}
	maps.DeleteFunc(all, func(name, _ string) bool { return reserved(name) })
	a.xattrs = all
	return a, nil
}

// xattrsAt returns the extended attributes of what is at a path, which may be a link. There
// are none where the file system has none.
func xattrsAt(path string) (map[string]string, error) {
	n, err := unix.Llistxattr(path, nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]byte, n)
	if n, err = unix.Llistxattr(path, list); err != nil {
		return nil, err
	}
	all := map[string]string{}
	value := make([]byte, 64<<10) // the kernel's largest
	for name := range bytes.SplitSeq(list[:n], []byte{0}) {
		if len(name) == 0 {
			continue
		}
		n, err := unix.Lgetxattr(path, string(name), value)
		if err != nil {
			return nil, err
		}
		all[string(name)] = string(value[:n])
	}
	return all, nil
}

// setAttributes sets the attributes of what is at a place.
func (u *unpacker) setAttributes(at place, a attributes) error {
	st, err := at.stat()
	if err != nil {
		return disk(err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		u.times[at.path] = a.times
		fd, err := at.openDir()
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return setAttributes(fd, a)
	}
	if err := unix.Fchownat(at.dir, at.base, a.uid, a.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return disk(err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(at.dir, at.base, a.mode, 0); err != nil {
			return disk(err)
		}
	}
	if err := setXattrs(a, func(name string, value []byte) error { return unix.Lsetxattr(at.proc(), name, value, 0) }); err != nil {
		return err
	}
	return disk0(setTimes(at.proc(), unix.AT_SYMLINK_NOFOLLOW, a.times))
}

// setAttributes sets the attributes of an open file or directory, as far as it has others.
// The owner comes first: a change of it takes set-uid bits and capabilities away.
func setAttributes(fd int, a attributes) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return disk(err)
	}
	moved := int(st.Uid) != a.uid || int(st.Gid) != a.gid
	if moved {
		if err := unix.Fchown(fd, a.uid, a.gid); err != nil {
			return disk(err)
		}
	}
	if moved || st.Mode&0o7777 != a.mode {
		if err := unix.Fchmod(fd, a.mode); err != nil {
			return disk(err)
		}
	}
	if err := setXattrs(a, func(name string, value []byte) error { return unix.Fsetxattr(fd, name, value, 0) }); err != nil {
		return err
	}
	return disk0(linux.SetTimes(fd, a.times))
}

// setXattrs sets extended attributes. Those that the file system does not have, or that
// are not for this kind of file, are left out, as everywhere.
func setXattrs(a attributes, set func(name string, value []byte) error) error {
	for name, value := range a.xattrs {
		err := set(name, []byte(value))
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return disk(err)
		}
	}
	return nil
}

func setXattr(fd int, name, value string) error { return unix.Fsetxattr(fd, name, []byte(value), 0) }

func setTimes(path string, flags int, times [2]unix.Timespec) error {
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, times[:], flags)
}
