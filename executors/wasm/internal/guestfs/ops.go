package guestfs

import (
	"io/fs"
	"path"
	"strings"

	"github.com/davit-run/davit/shared/linux"
	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
	"golang.org/x/sys/unix"
)

// Errno is wazero's number of an error.
type Errno = experimentalsys.Errno

// code returns wazero's number of an error.
func code(err error) Errno { return experimentalsys.UnwrapOSError(err) }

// Stat implements [experimentalsys.FS].
func (t *Tree) Stat(name string) (sys.Stat_t, Errno) { return t.stat(name, true) }

// Lstat implements [experimentalsys.FS].
func (t *Tree) Lstat(name string) (sys.Stat_t, Errno) { return t.stat(name, false) }

func (t *Tree) stat(name string, follow bool) (sys.Stat_t, Errno) {
	p, err := t.walk(name, follow)
	if err != nil {
		return sys.Stat_t{}, code(err)
	}
	defer p.close()
	var st unix.Stat_t
	if err := unix.Fstatat(p.at.fd, p.name, &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_EMPTY_PATH); err != nil {
		return sys.Stat_t{}, code(err)
	}
	return statOf(&st), 0
}

// change walks to a name that will be changed. A mounted directory and the root
// cannot be changed: the module owns only their content.
func (t *Tree) change(name string) (*place, error) {
	p, err := t.walk(strings.TrimRight(name, "/"), false)
	if err != nil {
		return nil, err
	}
	switch {
	case p.name == "":
		err = unix.EPERM
	case p.at.readOnly:
		err = unix.EROFS
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// changing calls fn with the place of a name that will be changed.
func (t *Tree) changing(name string, fn func(dir int, name string) error) Errno {
	p, err := t.change(name)
	if err != nil {
		return code(err)
	}
	defer p.close()
	return code(fn(p.at.fd, p.name))
}

// Mkdir implements [experimentalsys.FS].
func (t *Tree) Mkdir(name string, perm fs.FileMode) Errno {
	return t.changing(name, func(dir int, name string) error { return unix.Mkdirat(dir, name, uint32(perm.Perm())) })
}

// Rmdir implements [experimentalsys.FS].
func (t *Tree) Rmdir(name string) Errno {
	return t.changing(name, func(dir int, name string) error { return unix.Unlinkat(dir, name, unix.AT_REMOVEDIR) })
}

// Unlink implements [experimentalsys.FS].
func (t *Tree) Unlink(name string) Errno {
	if st, e := t.Lstat(name); e != 0 { // also for the name of a file with a slash after it
		return e
	} else if st.Mode.IsDir() {
		return experimentalsys.EISDIR
	}
	return t.changing(name, func(dir int, name string) error { return unix.Unlinkat(dir, name, 0) })
}

// Symlink implements [experimentalsys.FS]. As WASI requires, the target is not
// absolute.
func (t *Tree) Symlink(target, name string) Errno {
	if path.IsAbs(target) {
		return experimentalsys.EPERM
	}
	return t.changing(name, func(dir int, name string) error { return unix.Symlinkat(target, dir, name) })
}

// Readlink implements [experimentalsys.FS].
func (t *Tree) Readlink(name string) (string, Errno) {
	p, err := t.walk(name, false)
	if err != nil {
		return "", code(err)
	}
	defer p.close()
	if p.name == "" {
		return "", experimentalsys.EINVAL
	}
	target, err := readlink(p.at.fd, p.name)
	return target, code(err)
}

// Rename implements [experimentalsys.FS].
func (t *Tree) Rename(from, to string) Errno { return t.pair(from, to, unix.Renameat) }

// Link implements [experimentalsys.FS].
func (t *Tree) Link(from, to string) Errno {
	return t.pair(from, to, func(fromDir int, from string, toDir int, to string) error {
		return unix.Linkat(fromDir, from, toDir, to, 0)
	})
}

func (t *Tree) pair(from, to string, fn func(int, string, int, string) error) Errno {
	p, err := t.change(from)
	if err != nil {
		return code(err)
	}
	defer p.close()
	return t.changing(to, func(dir int, name string) error { return fn(p.at.fd, p.name, dir, name) })
}

// Utimens implements [experimentalsys.FS].
func (t *Tree) Utimens(name string, atim, mtim int64) Errno {
	p, err := t.walk(name, true)
	if err != nil {
		return code(err)
	}
	defer p.close()
	times := timespecs(atim, mtim)
	switch {
	case p.at.readOnly:
		return experimentalsys.EROFS
	case p.name == "":
		return code(unix.UtimesNanoAt(unix.AT_FDCWD, linux.FDPath(p.at.fd), times, 0))
	}
	return code(unix.UtimesNanoAt(p.at.fd, p.name, times, unix.AT_SYMLINK_NOFOLLOW))
}

func timespecs(times ...int64) []unix.Timespec {
	ts := make([]unix.Timespec, len(times))
	for i, ns := range times {
		if ts[i] = unix.NsecToTimespec(ns); ns == experimentalsys.UTIME_OMIT {
			ts[i] = unix.Timespec{Nsec: unix.UTIME_OMIT}
		}
	}
	return ts
}

// statOf returns wazero's form of a file's properties.
func statOf(st *unix.Stat_t) sys.Stat_t {
	mode := fs.FileMode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	}
	return sys.Stat_t{
		Dev: st.Dev, Ino: st.Ino, Mode: mode, Nlink: uint64(st.Nlink), Size: st.Size,
		Atim: st.Atim.Nano(), Mtim: st.Mtim.Nano(), Ctim: st.Ctim.Nano(),
	}
}
