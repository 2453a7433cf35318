package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Pack writes a tar stream of a file, or of a directory and all in it. f is an O_PATH
// descriptor of it, and name its name in the stream; those of what is in it follow a
// slash. The name "." stands for the contents of a directory. Left out are sockets in a
// directory, and of what is mounted in it, devices and the files of the kernel, such as
// those of /proc. What others change meanwhile is in the stream in one of its states; a file
// that shrinks is an error.
func Pack(w io.Writer, f *os.File, name string, ids IDs) error {
	st, err := stat(f)
	if err != nil {
		return err
	}
	p := newPacker(w, ids, uint64(st.Dev))
	if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		return executor.Errorf(executor.Invalid, "%s is a socket, which cannot be copied", f.Name())
	}
	if err := p.add(f, st, name); err != nil {
		return err
	}
	return p.tar.Close()
}

func newPacker(w io.Writer, ids IDs, dev uint64) *packer {
	return &packer{tar: tar.NewWriter(w), ids: ids, dev: dev, links: map[inode]string{}, buffer: make([]byte, 64<<10)}
}

// inode identifies a file that has several names.
type inode struct{ dev, ino uint64 }

type packer struct {
	tar    *tar.Writer
	ids    IDs
	dev    uint64           // of what was asked for
	links  map[inode]string // the first names of files that have several
	single bool             // directories are added without what is in them
	buffer []byte
}

// add adds what an O_PATH descriptor refers to.
func (p *packer) add(f *os.File, st unix.Stat_t, name string) error {
	if len(name) > unix.PathMax {
		return executor.Errorf(executor.FailedPrecondition, "%.100s… is too deep to be copied: its path has more than %d bytes", name, unix.PathMax)
	}
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), ModTime: time.Unix(st.Mtim.Sec, 0),
		Uid: int(p.ids.Inside(st.Uid, p.ids.UIDs)), Gid: int(p.ids.Inside(st.Gid, p.ids.GIDs)),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		if err := p.header(h, f); err != nil {
			return err
		}
		if p.single || uint64(st.Dev) != p.dev && ofTheKernel(f) {
			return nil
		}
		return p.entries(f, name)
	case unix.S_IFREG:
		return p.file(f, st, h)
	case unix.S_IFLNK:
		target, err := readLink(f)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR, unix.S_IFBLK:
		if uint64(st.Dev) != p.dev { // the runtime has made it, as it will elsewhere
			return nil
		}
		h.Typeflag = tar.TypeChar
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	default:
		return nil // a socket is nothing without the process that has made it
	}
	return p.header(h, nil)
}

// header writes a header, with the extended attributes of what a descriptor refers to.
func (p *packer) header(h *tar.Header, f *os.File) error {
	if f != nil {
		attributes, err := readAttributes(f)
		if err != nil {
			return fmt.Errorf("%s: extended attributes: %w", h.Name, err)
		}
		for name, value := range attributes {
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords[paxAttribute+name] = value
		}
	}
	if err := p.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// file adds a regular file.
func (p *packer) file(f *os.File, st unix.Stat_t, h *tar.Header) error {
	if st.Nlink > 1 {
		id := inode{uint64(st.Dev), st.Ino}
		if first, ok := p.links[id]; ok {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return p.header(h, nil)
		}
		p.links[id] = h.Name
	}
	content, err := reopen(f, unix.O_RDONLY)
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	defer content.Close()
	h.Typeflag, h.Size = tar.TypeReg, st.Size
	if err := p.header(h, f); err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{p.tar}, struct{ io.Reader }{io.LimitReader(content, st.Size)}, p.buffer)
	if err == nil && n < st.Size {
		err = executor.Errorf(executor.FailedPrecondition, "it shrank from %d to %d bytes while it was read", st.Size, n)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// entries adds what is in a directory.
func (p *packer) entries(f *os.File, name string) error {
	dir, err := reopen(f, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer dir.Close()
	for {
		const batch = 1024
		names, err := dir.Readdirnames(batch)
		for _, entry := range names {
			if err := p.entry(f, name, entry); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (p *packer) entry(dir *os.File, name, entry string) error {
	name = strings.TrimSuffix(name, "/") + "/" + entry
	f, err := child(dir, entry)
	if errors.Is(err, unix.ENOENT) {
		return nil // it was removed meanwhile
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close()
	st, err := stat(f)
	if err != nil {
		return err
	}
	return p.add(f, st, name)
}

// ofTheKernel reports whether a directory is of a file system that only shows what the
// kernel has. Some of its files have no end, and some do something when they are read.
func ofTheKernel(f *os.File) bool {
	const mqueue = 0x19800202
	var st unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &st) != nil {
		return false
	}
	switch int64(st.Type) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEVPTS_SUPER_MAGIC, mqueue,
		unix.SECURITYFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.BPF_FS_MAGIC, unix.EFIVARFS_MAGIC:
		return true
	}
	return false
}
