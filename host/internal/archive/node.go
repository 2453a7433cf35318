package archive

import (
	"archive/tar"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// node is an entry that is being made in a directory.
type node struct {
	u        *unpacker
	h        *tar.Header
	parent   *os.File // an O_PATH descriptor
	base     string
	uid, gid int
}

func (n *node) at() int { return int(n.parent.Fd()) }

// mode returns the permissions of the entry.
func (n *node) mode() uint32 { return uint32(n.h.Mode & 0o7777) }

// replaceable returns why a file cannot be made where it belongs.
func (n *node) replaceable() error {
	var st unix.Stat_t
	err := unix.Fstatat(n.at(), n.base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return executor.Errorf(executor.FailedPrecondition, "there is a directory in its place, which is not overwritten with something else")
	}
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// directory makes a directory, or takes the one that exists.
func (n *node) directory() error {
	err := unix.Mkdirat(n.at(), n.base, 0o700)
	exists := errors.Is(err, unix.EEXIST)
	if err != nil && !exists {
		return err
	}
	f, err := openAt(n.parent, n.base, unix.O_NOFOLLOW, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ELOOP) {
		return n.notDirectory()
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := stat(f)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return n.notDirectory()
	}
	if exists && !n.u.options.KeepOwners {
		return nil
	}
	dir, err := reopen(f, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer dir.Close()
	return n.attributes(dir)
}

// notDirectory is the error for a directory whose place is taken. A link to a directory
// that was there before serves as one.
func (n *node) notDirectory() error {
	if f, err := n.u.open(path.Clean(n.h.Name)); err == nil && !n.u.links[path.Clean(n.h.Name)] {
		_ = f.Close()
		return nil
	}
	return executor.Errorf(executor.FailedPrecondition, "there is a file in its place, which is not overwritten with a directory")
}

// attributes sets owner, mode, extended attributes and time of an open file.
func (n *node) attributes(f *os.File) error {
	if err := f.Chown(n.uid, n.gid); err != nil && os.Geteuid() == 0 {
		return err
	}
	if err := unix.Fchmod(int(f.Fd()), n.mode()); err != nil { // after chown, which clears bits
		return err
	}
	if err := writeAttributes(f, n.h.PAXRecords); err != nil {
		return fmt.Errorf("extended attributes: %w", err)
	}
	return setTime(f, n.h.ModTime)
}

// file makes a regular file.
func (n *node) file(content io.Reader) error {
	return n.place(func(temporary string) error {
		f, named, err := n.create(temporary)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{content}, n.u.buffer); err != nil {
			return broken(err)
		}
		if err := n.attributes(f); err != nil {
			return err
		}
		if !named {
			if err := unix.Linkat(unix.AT_FDCWD, fdPath(f), n.at(), temporary, unix.AT_SYMLINK_FOLLOW); err != nil {
				return err
			}
		}
		err = unix.Renameat(n.at(), temporary, n.at(), n.base)
		if errors.Is(err, unix.EBUSY) { // something is mounted there, such as /etc/hosts
			return n.overwrite(f)
		}
		return err
	})
}

// create creates a file in the directory. It has no name, so that nothing is left of it if
// this process is killed, or the temporary one where the file system has no such files.
func (n *node) create(temporary string) (f *os.File, named bool, err error) {
	fd, err := unix.Openat(n.at(), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) {
		named = true
		fd, err = unix.Openat(n.at(), temporary, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	}
	if err != nil {
		return nil, false, err
	}
	return os.NewFile(uintptr(fd), n.base), named, nil
}

// overwrite writes what a file has into the one that is there.
func (n *node) overwrite(from *os.File) error {
	to, err := child(n.parent, n.base)
	if err != nil {
		return err
	}
	defer to.Close()
	st, err := stat(to)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return executor.Errorf(executor.FailedPrecondition, "something is mounted in its place that is no regular file")
	}
	f, err := reopen(to, unix.O_WRONLY|unix.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = from.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(f, from)
	}
	return errors.Join(err, f.Close())
}

// symlink makes a symbolic link. Where it leads is not looked at.
func (n *node) symlink() error {
	return n.place(func(temporary string) error {
		if err := unix.Symlinkat(n.h.Linkname, n.at(), temporary); err != nil {
			return err
		}
		return n.move(temporary)
	})
}

// hardLink makes a further name for a file in the directory into which is unpacked.
func (n *node) hardLink() error {
	name, err := n.u.clean(n.h.Linkname)
	if err != nil {
		return fmt.Errorf("the file that it is a name of, %s: %w", n.h.Linkname, err)
	}
	of, err := openAt(n.u.root.dir, strings.TrimLeft(n.u.dir+"/"+name, "/"), unix.O_NOFOLLOW, n.u.root.resolve)
	if err != nil {
		return fmt.Errorf("the file that it is a name of, %s: %w", n.h.Linkname, err)
	}
	defer of.Close()
	return n.place(func(temporary string) error {
		if err := unix.Linkat(unix.AT_FDCWD, fdPath(of), n.at(), temporary, unix.AT_SYMLINK_FOLLOW); err != nil {
			return err
		}
		return unix.Renameat(n.at(), temporary, n.at(), n.base)
	})
}

func (n *node) fifo() error {
	return n.place(func(temporary string) error {
		if err := unix.Mknodat(n.at(), temporary, unix.S_IFIFO|0o600, 0); err != nil {
			return err
		}
		if err := unix.Fchmodat(n.at(), temporary, n.mode(), 0); err != nil {
			return err
		}
		return n.move(temporary)
	})
}

// move gives what has a temporary name its owner, its time and its place.
func (n *node) move(temporary string) error {
	if err := unix.Fchownat(n.at(), temporary, n.uid, n.gid, unix.AT_SYMLINK_NOFOLLOW); err != nil && os.Geteuid() == 0 {
		return err
	}
	if err := unix.UtimesNanoAt(n.at(), temporary, timespecs(n.h.ModTime), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return unix.Renameat(n.at(), temporary, n.at(), n.base)
}

// place calls do with a temporary name in the directory, which is gone afterwards.
func (n *node) place(do func(temporary string) error) error {
	temporary := ".davit-" + rand.Text()
	err := do(temporary)
	// A rename to another name of the same file does nothing, and leaves it as well.
	if err != nil || n.h.Typeflag != tar.TypeReg {
		_ = unix.Unlinkat(n.at(), temporary, 0)
	}
	return err
}

func setTime(f *os.File, t time.Time) error {
	return unix.UtimesNanoAt(unix.AT_FDCWD, fdPath(f), timespecs(t), 0)
}

// timespecs returns the times of access and change for utimensat.
func timespecs(t time.Time) []unix.Timespec {
	if t.IsZero() {
		t = time.Now()
	}
	ts := unix.NsecToTimespec(t.UnixNano())
	return []unix.Timespec{ts, ts}
}
