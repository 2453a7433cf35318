package layer

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// unpacker unpacks an archive into a directory. Paths in it are clean and absolute, and
// without symbolic links: they are where something really is in the layer.
type unpacker struct {
	limits Limits
	root   int // descriptor of the directory
	path   string
	below  *below
	// last is the directory that was opened last. Most entries follow one of their
	// siblings.
	last parent
	// implied has the directories that have no entry, as yet.
	implied map[string]bool
	// times are set at the end: they change when something is made inside.
	times map[string][2]unix.Timespec
	// paths is how many bytes the paths in both take.
	paths int64
	size  int64
	buf   []byte
}

// parent is an open directory.
type parent struct {
	asked string // the name by which it was asked for
	path  string
	fd    int
}

// place is where an entry goes.
type place struct {
	dir  int
	base string
	path string
}

func newUnpacker(dir string, lower []string, limits Limits) (*unpacker, error) {
	u := &unpacker{
		limits: limits, root: -1, last: parent{fd: -1},
		implied: map[string]bool{}, times: map[string][2]unix.Timespec{}, buf: make([]byte, 256<<10),
	}
	var err error
	if u.path, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, disk(err)
	}
	if u.root, err = unix.Open(u.path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0); err != nil {
		return nil, disk(os.NewSyscallError("open", err))
	}
	if u.below, err = openBelow(lower); err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

func (u *unpacker) close() {
	u.forget()
	if u.below != nil {
		u.below.close()
	}
	unix.Close(u.root)
}

// forget closes the directory that was opened last. It may have been replaced.
func (u *unpacker) forget() {
	if u.last.fd >= 0 {
		unix.Close(u.last.fd)
	}
	u.last = parent{fd: -1}
}

// disk returns the error for what the disk refuses.
func disk(err error) error {
	switch {
	case errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.E2BIG), errors.Is(err, unix.ERANGE):
		return executor.Errorf(executor.Invalid, "%w", err)
	}
	return executor.Errorf(executor.Unavailable, "%w", err)
}

// entry unpacks an entry.
func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name := path.Clean("/" + h.Name)
	if name == "/" || strings.Contains(name, "/"+metaPrefix) && path.Base(name) != opaqueMarker {
		return nil // the root's own attributes, and aufs's notes to itself, mean nothing
	}
	if err := checkHeader(h); err != nil {
		return err
	}
	at, err := u.place(name)
	if err != nil {
		return err
	}
	if hidden, ok := strings.CutPrefix(at.base, whiteoutPrefix); ok {
		return u.whiteout(at, hidden)
	}
	if isWhiteoutDevice(h) {
		return u.hide(at)
	}
	if h.Typeflag == tar.TypeDir {
		return u.directory(at, h)
	}
	if _, err := u.clear(at); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, '\x00':
		return u.file(at, h, r)
	case tar.TypeLink:
		return u.link(at, h)
	case tar.TypeSymlink:
		err = unix.Symlinkat(h.Linkname, at.dir, at.base)
	case tar.TypeChar:
		err = unix.Mknodat(at.dir, at.base, unix.S_IFCHR|0o600, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))))
	case tar.TypeBlock:
		err = unix.Mknodat(at.dir, at.base, unix.S_IFBLK|0o600, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))))
	case tar.TypeFifo:
		err = unix.Mknodat(at.dir, at.base, unix.S_IFIFO|0o600, 0)
	default:
		return executor.Errorf(executor.Invalid, "entries of type %q are not known", h.Typeflag)
	}
	if err != nil {
		return disk(err)
	}
	return u.setAttributes(at, attributesOf(h))
}

// checkHeader checks numbers that mean something else to the kernel.
func checkHeader(h *tar.Header) error {
	const maxID = 1<<32 - 2 // one more is "leave it as it is"
	if h.Uid < 0 || h.Uid > maxID || h.Gid < 0 || h.Gid > maxID {
		return executor.Errorf(executor.Invalid, "its owner %d:%d is out of range", h.Uid, h.Gid)
	}
	if h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20 {
		return executor.Errorf(executor.Invalid, "the numbers %d:%d are of no device", h.Devmajor, h.Devminor)
	}
	return nil
}

// place returns where a name is to be, with the directories on the way.
func (u *unpacker) place(name string) (place, error) {
	dir := path.Dir(name)
	if u.last.fd < 0 || u.last.asked != dir {
		u.forget()
		fd, err := u.open(dir, 0)
		if err != nil {
			return place{}, err
		}
		real, err := u.pathOf(fd)
		if err != nil {
			unix.Close(fd)
			return place{}, err
		}
		u.last = parent{dir, real, fd}
	}
	return place{u.last.fd, path.Base(name), path.Join(u.last.path, path.Base(name))}, nil
}

// pathOf returns where an open directory really is in the layer.
func (u *unpacker) pathOf(fd int) (string, error) {
	at, err := os.Readlink(linux.FDPath(fd))
	if err != nil {
		return "", disk(err)
	}
	real, ok := strings.CutPrefix(at, u.path)
	if !ok || real != "" && real[0] != '/' {
		return "", executor.Errorf(executor.Internal, "%s is outside of the layer", at)
	}
	return path.Clean("/" + real), nil
}

// proc returns a path of a place, for calls that take no descriptor.
func (at place) proc() string { return linux.FDPath(at.dir) + "/" + at.base }

// how is how directories of a layer are opened: links lead where they lead for a process
// in the image.
const how = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// maxLinks is how many symbolic links are followed to directories that are not there yet,
// the same as the kernel's number.
const maxLinks = 40

// open opens a directory, and makes it and those above it if need be.
func (u *unpacker) open(dir string, links int) (int, error) {
	fd, err := linux.Openat2(u.root, strings.TrimPrefix(path.Join(".", dir), "/"), &unix.OpenHow{Flags: unix.O_DIRECTORY | unix.O_RDONLY | unix.O_CLOEXEC, Resolve: how})
	if err == nil {
		return fd, nil
	}
	if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) || links > maxLinks || dir == "/" {
		return -1, disk(err)
	}
	over, err := u.open(path.Dir(dir), links)
	if err != nil {
		return -1, err
	}
	defer unix.Close(over)
	real, err := u.pathOf(over)
	if err != nil {
		return -1, err
	}
	at := place{over, path.Base(dir), path.Join(real, path.Base(dir))}
	st, err := at.stat()
	switch {
	case errors.Is(err, unix.ENOENT):
	case err != nil:
		return -1, disk(err)
	case isWhiteout(st):
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		target, err := os.Readlink(at.proc())
		if err != nil {
			return -1, disk(err)
		}
		if !path.IsAbs(target) {
			target = path.Join(real, target)
		}
		return u.open(path.Clean("/"+target), links+1)
	default:
		return -1, executor.Errorf(executor.Invalid, "%s is not a directory", at.path)
	}
	if err := u.mkdir(at); err != nil {
		return -1, err
	}
	if err := u.remember(at.path); err != nil {
		return -1, err
	}
	u.implied[at.path] = true
	return u.open(at.path, links+1)
}

// remember counts the path of a directory of which something is kept until the end.
func (u *unpacker) remember(path string) error {
	if _, timed := u.times[path]; timed || u.implied[path] {
		return nil
	}
	if u.paths += int64(len(path)); u.paths > u.limits.Paths {
		return executor.Errorf(executor.Invalid, "the paths of the layer's directories have more than %d bytes", u.limits.Paths)
	}
	return nil
}

// stat returns what is at a place.
func (at place) stat() (st unix.Stat_t, err error) {
	return st, unix.Fstatat(at.dir, at.base, &st, unix.AT_SYMLINK_NOFOLLOW)
}

// clear removes what is at a place. It reports whether that was a whiteout.
func (u *unpacker) clear(at place) (whiteout bool, err error) {
	st, err := at.stat()
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, disk(err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		// It is not the one that was opened last, which is above it.
		err = os.RemoveAll(at.proc())
	} else {
		err = unix.Unlinkat(at.dir, at.base, 0)
	}
	if err != nil {
		return false, disk(err)
	}
	return isWhiteout(st), nil
}

// mkdir makes a directory where nothing is but perhaps a whiteout, which then still hides
// the directory below.
func (u *unpacker) mkdir(at place) error {
	whiteout, err := u.clear(at)
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(at.dir, at.base, 0o755); err != nil {
		return disk(err)
	}
	if whiteout {
		return u.setOpaque(at)
	}
	return nil
}

// directory unpacks a directory. One that is there stays, with what is in it.
func (u *unpacker) directory(at place, h *tar.Header) error {
	st, err := at.stat()
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return disk(err)
		}
		if err := u.mkdir(at); err != nil {
			return err
		}
	}
	if err := u.remember(at.path); err != nil {
		return err
	}
	delete(u.implied, at.path)
	return u.setAttributes(at, attributesOf(h))
}

// file unpacks a file. Zeros become holes.
func (u *unpacker) file(at place, h *tar.Header, r io.Reader) error {
	return u.create(at, r, attributesOf(h))
}

// create makes a file where nothing is.
func (u *unpacker) create(at place, r io.Reader, a attributes) error {
	// Mostly it has its mode and owner at once. Who may set bits of it is looked at later.
	fd, err := unix.Openat(at.dir, at.base, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, a.mode&0o777)
	if err != nil {
		return disk(err)
	}
	n, err := u.write(fd, r)
	if err == nil {
		u.size += n
		err = setAttributes(fd, a)
	}
	if cerr := unix.Close(fd); err == nil {
		err = disk0(cerr)
	}
	return err
}

// write writes the content of a file and returns its size.
func (u *unpacker) write(fd int, r io.Reader) (size int64, err error) {
	hole := false // at the end
	for {
		n, err := io.ReadFull(r, u.buf)
		if part := u.buf[:n]; n > 0 {
			if hole = n == len(u.buf) && zeros(part); !hole {
				if err := writeAt(fd, part, size); err != nil {
					return size, disk(err)
				}
			}
			size += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n > 0 && n < len(u.buf) && atEnd(r):
			if hole {
				if err := unix.Ftruncate(fd, size); err != nil {
					return size, disk(err)
				}
			}
			return size, nil
		case err != nil:
			return size, corrupt(err)
		}
	}
}

// writeAt writes all of p.
func writeAt(fd int, p []byte, at int64) error {
	for len(p) > 0 {
		n, err := unix.Pwrite(fd, p, at)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("pwrite", err)
		}
		p, at = p[max(n, 0):], at+int64(max(n, 0))
	}
	return nil
}

// atEnd reports whether a reader of an archive's entry has ended well. [io.ReadFull] says
// the same of an entry that has ended and of an archive that was cut off.
func atEnd(r io.Reader) bool {
	_, err := r.Read(make([]byte, 1))
	return errors.Is(err, io.EOF)
}

func zeros(p []byte) bool {
	for len(p) > 0 {
		n := min(len(p), len(zeroBlock))
		if string(p[:n]) != string(zeroBlock[:n]) {
			return false
		}
		p = p[n:]
	}
	return true
}

var zeroBlock [4096]byte

// link makes a hard link. One to a file of a layer below is a copy of it.
func (u *unpacker) link(at place, h *tar.Header) error {
	target := path.Clean("/" + h.Linkname)
	if target == "/" {
		return executor.Errorf(executor.Invalid, "it is a link to %q", h.Linkname)
	}
	// The directory of the target is another than that of the entry.
	fd, err := u.open(path.Dir(target), 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	real, err := u.pathOf(fd)
	if err != nil {
		return err
	}
	to := place{fd, path.Base(target), path.Join(real, path.Base(target))}
	st, err := to.stat()
	if errors.Is(err, unix.ENOENT) && to.path != at.path {
		if err := u.copyUp(to); err != nil {
			return err
		}
		st, err = to.stat()
	}
	switch {
	case errors.Is(err, unix.ENOENT) || err == nil && isWhiteout(st):
		return executor.Errorf(executor.Invalid, "it is a link to %q, which does not exist", h.Linkname)
	case err != nil:
		return disk(err)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return executor.Errorf(executor.Invalid, "it is a hard link to the directory %q", h.Linkname)
	}
	if err := unix.Linkat(to.dir, to.base, at.dir, at.base, 0); err != nil {
		return disk(err)
	}
	return nil
}
