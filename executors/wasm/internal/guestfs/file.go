package guestfs

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/davit-run/davit/shared/linux"
	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/sys"
	"golang.org/x/sys/unix"
)

// file is an open file of a tree.
type file struct {
	*os.File
	fd       int
	flags    int
	readOnly bool
	// added are names that mounts add to a directory, entries the part of it that was
	// not read yet.
	added   []string
	entries []experimentalsys.Dirent
	listed  bool
}

var _ experimentalsys.PollableFile = (*file)(nil)

func (t *Tree) newFile(fd int, p *place, flags int) *file {
	return &file{File: os.NewFile(uintptr(fd), p.path), fd: fd, flags: flags, readOnly: p.at.readOnly, added: t.under(p.path)}
}

func (f *file) fstat() (unix.Stat_t, Errno) {
	var st unix.Stat_t
	err := unix.Fstat(f.fd, &st)
	return st, code(err)
}

// Dev implements [experimentalsys.File].
func (f *file) Dev() (uint64, Errno) {
	st, e := f.fstat()
	return st.Dev, e
}

// Ino implements [experimentalsys.File].
func (f *file) Ino() (sys.Inode, Errno) {
	st, e := f.fstat()
	return st.Ino, e
}

// IsDir implements [experimentalsys.File].
func (f *file) IsDir() (bool, Errno) {
	st, e := f.fstat()
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, e
}

// Stat implements [experimentalsys.File].
func (f *file) Stat() (sys.Stat_t, Errno) {
	st, e := f.fstat()
	return statOf(&st), e
}

// IsAppend implements [experimentalsys.File].
func (f *file) IsAppend() bool { return f.flags&unix.O_APPEND != 0 }

// SetAppend implements [experimentalsys.File].
func (f *file) SetAppend(enable bool) Errno { return f.set(unix.O_APPEND, enable) }

// IsNonblock implements [experimentalsys.PollableFile].
func (f *file) IsNonblock() bool { return f.flags&unix.O_NONBLOCK != 0 }

// SetNonblock implements [experimentalsys.PollableFile].
func (f *file) SetNonblock(enable bool) Errno { return f.set(unix.O_NONBLOCK, enable) }

func (f *file) set(flag int, enable bool) Errno {
	flags := f.flags &^ flag
	if enable {
		flags |= flag
	}
	if _, err := unix.FcntlInt(uintptr(f.fd), unix.F_SETFL, flags); err != nil {
		return code(err)
	}
	f.flags = flags
	return 0
}

// Poll implements [experimentalsys.PollableFile].
func (f *file) Poll(flag experimentalsys.Pflag, timeoutMillis int32) (bool, Errno) {
	fds := []unix.PollFd{{Fd: int32(f.fd)}}
	if flag&experimentalsys.POLLIN != 0 {
		fds[0].Events |= unix.POLLIN
	}
	if flag&experimentalsys.POLLOUT != 0 {
		fds[0].Events |= unix.POLLOUT
	}
	n, err := unix.Poll(fds, int(timeoutMillis))
	return n > 0, code(err)
}

// Read implements [experimentalsys.File].
func (f *file) Read(buf []byte) (int, Errno) {
	n, err := unix.Read(f.fd, buf)
	return max(n, 0), code(err)
}

// Pread implements [experimentalsys.File].
func (f *file) Pread(buf []byte, off int64) (int, Errno) {
	n, err := unix.Pread(f.fd, buf, off)
	return max(n, 0), code(err)
}

// Write implements [experimentalsys.File].
func (f *file) Write(buf []byte) (int, Errno) {
	n, err := unix.Write(f.fd, buf)
	return max(n, 0), code(err)
}

// Pwrite implements [experimentalsys.File].
func (f *file) Pwrite(buf []byte, off int64) (int, Errno) {
	n, err := unix.Pwrite(f.fd, buf, off)
	return max(n, 0), code(err)
}

// offset is an int64 under another name, which shows vet that Seek is not the method
// of io.Seeker.
type offset = int64

// Seek implements [experimentalsys.File]. A directory can be read again from its
// beginning.
func (f *file) Seek(to offset, whence int) (int64, Errno) {
	if isDir, e := f.IsDir(); e != 0 {
		return 0, e
	} else if isDir && (to != 0 || whence != unix.SEEK_SET) {
		return 0, experimentalsys.EISDIR
	}
	off, err := unix.Seek(f.fd, to, whence)
	f.listed, f.entries = false, nil
	return off, code(err)
}

// Readdir implements [experimentalsys.File].
func (f *file) Readdir(n int) ([]experimentalsys.Dirent, Errno) {
	if !f.listed {
		entries, err := f.ReadDir(-1)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // which a removed directory returns
			return nil, code(err)
		}
		f.entries = nil
		for _, e := range entries {
			if !slices.Contains(f.added, e.Name()) {
				f.entries = append(f.entries, f.dirent(e.Name(), e.Type()))
			}
		}
		for _, name := range f.added {
			f.entries = append(f.entries, experimentalsys.Dirent{Name: name, Type: fs.ModeDir})
		}
		f.listed = true
	}
	if n <= 0 || n > len(f.entries) {
		n = len(f.entries)
	}
	some := f.entries[:n]
	f.entries = f.entries[n:]
	return some, 0
}

func (f *file) dirent(name string, kind fs.FileMode) experimentalsys.Dirent {
	var st unix.Stat_t
	_ = unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) // else 0: not known
	return experimentalsys.Dirent{Name: name, Type: kind, Ino: st.Ino}
}

// Truncate implements [experimentalsys.File].
func (f *file) Truncate(size int64) Errno { return code(unix.Ftruncate(f.fd, size)) }

// Sync implements [experimentalsys.File].
func (f *file) Sync() Errno { return code(unix.Fsync(f.fd)) }

// Datasync implements [experimentalsys.File].
func (f *file) Datasync() Errno { return code(unix.Fdatasync(f.fd)) }

// Utimens implements [experimentalsys.File].
func (f *file) Utimens(atim, mtim int64) Errno {
	if f.readOnly {
		return experimentalsys.EROFS
	}
	return code(unix.UtimesNanoAt(unix.AT_FDCWD, linux.FDPath(f.fd), timespecs(atim, mtim), 0))
}

// Close implements [experimentalsys.File].
func (f *file) Close() Errno { return code(f.File.Close()) }
