package guestfs

import (
	"errors"
	"io/fs"
	"os"

	"github.com/davit-run/davit/shared/linux"
	experimentalsys "github.com/tetratelabs/wazero/experimental/sys"
	"golang.org/x/sys/unix"
)

// Open opens a regular file for reading.
func (t *Tree) Open(name string) (*os.File, error) {
	f, err := t.open(name, unix.O_RDONLY|unix.O_NONBLOCK, 0) // so as not to block at a FIFO
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	if info, err := f.File.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, &os.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	return f.File, nil
}

// OpenFile implements [experimentalsys.FS].
func (t *Tree) OpenFile(name string, flag experimentalsys.Oflag, perm fs.FileMode) (experimentalsys.File, Errno) {
	f, err := t.open(name, openFlags(flag), uint32(perm.Perm()))
	if err != nil {
		return nil, code(err)
	}
	return f, 0
}

func openFlags(flag experimentalsys.Oflag) (flags int) {
	for _, f := range []struct {
		from experimentalsys.Oflag
		to   int
	}{
		{experimentalsys.O_RDWR, unix.O_RDWR},
		{experimentalsys.O_WRONLY, unix.O_WRONLY},
		{experimentalsys.O_APPEND, unix.O_APPEND},
		{experimentalsys.O_CREAT, unix.O_CREAT},
		{experimentalsys.O_DIRECTORY, unix.O_DIRECTORY},
		{experimentalsys.O_DSYNC, unix.O_DSYNC},
		{experimentalsys.O_EXCL, unix.O_EXCL},
		{experimentalsys.O_NOFOLLOW, unix.O_NOFOLLOW},
		{experimentalsys.O_NONBLOCK, unix.O_NONBLOCK},
		{experimentalsys.O_RSYNC, unix.O_RSYNC},
		{experimentalsys.O_SYNC, unix.O_SYNC},
		{experimentalsys.O_TRUNC, unix.O_TRUNC},
	} {
		if flag&f.from != 0 {
			flags |= f.to
		}
	}
	return flags
}

func (t *Tree) open(name string, flags int, perm uint32) (*file, error) {
	for {
		f, err := t.openOnce(name, flags, perm)
		if errors.Is(err, unix.EEXIST) && flags&unix.O_EXCL == 0 {
			continue // somebody else has just created it
		}
		return f, err
	}
}

func (t *Tree) openOnce(name string, flags int, perm uint32) (*file, error) {
	p, err := t.walk(name, flags&(unix.O_NOFOLLOW|unix.O_EXCL) == 0)
	if err != nil {
		return nil, err
	}
	defer p.close()
	fd := p.at.fd
	if p.name != "" {
		// It is checked before it is opened, since opening a device can have effects.
		fd, err = unix.Openat(p.at.fd, p.name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if errors.Is(err, unix.ENOENT) && flags&unix.O_CREAT != 0 {
			return t.create(p, flags, perm)
		}
		if err != nil {
			return nil, err
		}
		defer unix.Close(fd)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	writes := flags&(unix.O_WRONLY|unix.O_RDWR|unix.O_TRUNC) != 0
	switch kind := st.Mode & unix.S_IFMT; {
	case flags&unix.O_CREAT != 0 && flags&unix.O_EXCL != 0:
		return nil, unix.EEXIST
	case kind == unix.S_IFLNK:
		return nil, unix.ELOOP
	case kind == unix.S_IFCHR || kind == unix.S_IFBLK:
		return nil, unix.EPERM
	case writes && kind == unix.S_IFDIR:
		return nil, unix.EISDIR
	case writes && p.at.readOnly:
		return nil, unix.EROFS
	}
	flags &^= unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW
	if fd, err = unix.Open(linux.FDPath(fd), flags|unix.O_CLOEXEC|unix.O_NOCTTY, 0); err != nil {
		return nil, err
	}
	return t.newFile(fd, p, flags), nil
}

func (t *Tree) create(p *place, flags int, perm uint32) (*file, error) {
	if p.at.readOnly {
		return nil, unix.EROFS
	}
	fd, err := unix.Openat(p.at.fd, p.name, flags|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return nil, err
	}
	return t.newFile(fd, p, flags), nil
}
