package archive

import (
	"archive/tar"
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

// UnpackOptions say what becomes of what a stream has.
type UnpackOptions struct {
	// KeepOwners gives files the owners that the stream has. Otherwise UID and GID own
	// them. Directories that exist get the mode and the owner of the stream too.
	KeepOwners bool
	UID, GID   int
	IDs        IDs
	// Check, if not nil, is called with each directory before something is made in it.
	Check func(dir *os.File) error
}

// Unpack makes in a directory of the tree what a tar stream has. Files that exist are
// replaced; a directory never takes the place of a file, nor a file that of a directory.
// After an error, what came before it in the stream is there. What follows the end of the
// archive in the stream is read.
func (r *Root) Unpack(dir string, stream io.Reader, o UnpackOptions) error {
	u := &unpacker{root: r, dir: strings.TrimSuffix(dir, "/"), options: o, links: map[string]bool{}, buffer: make([]byte, 64<<10)}
	defer u.leave()
	in := tar.NewReader(stream)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken(err)
		}
		if err := u.entry(h, in); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return broken(err)
	}
	return u.finish()
}

// broken returns the error of a stream that is no tar stream, or not a whole one.
func broken(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return executor.Errorf(executor.Invalid, "the tar stream broke off: %w", err)
	case errors.Is(err, tar.ErrHeader):
		return executor.Errorf(executor.Invalid, "it is not a tar stream: %w", err)
	}
	return err
}

type unpacker struct {
	root    *Root
	dir     string
	options UnpackOptions
	buffer  []byte
	// links are the names of links that the stream has made.
	links map[string]bool
	// parent is the directory called name, in which the last entry was made.
	parent *os.File
	name   string
	// times are set at the end, since each file in a directory changes its.
	times []dirTime
}

type dirTime struct {
	name string
	time time.Time
}

// entry makes one entry.
func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, err := u.clean(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return executor.Errorf(executor.Invalid, "the directory itself cannot be replaced by something else")
		}
		return nil
	}
	parent, err := u.enter(path.Dir(name))
	if err != nil {
		return err
	}
	n := &node{u: u, h: h, parent: parent, base: path.Base(name)}
	if n.uid, n.gid, err = u.owner(h); err != nil {
		return executor.Errorf(executor.Invalid, "%w", err)
	}
	if h.Typeflag == tar.TypeDir {
		if err := n.directory(); err != nil {
			return err
		}
		u.times = append(u.times, dirTime{name, h.ModTime})
		return nil
	}
	if err := n.replaceable(); err != nil {
		return err
	}
	delete(u.links, name)
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		return n.file(content)
	case tar.TypeSymlink:
		u.links[name] = true
		return n.symlink()
	case tar.TypeLink:
		return n.hardLink()
	case tar.TypeFifo:
		return n.fifo()
	case tar.TypeChar, tar.TypeBlock:
		return executor.Errorf(executor.Unsupported, "it is a device, and devices are not made from an archive")
	}
	return executor.Errorf(executor.Invalid, "its type %q is not known", string(h.Typeflag))
}

// clean returns the name of an entry, or why it leads out of the directory.
func (u *unpacker) clean(name string) (string, error) {
	if path.IsAbs(name) {
		return "", executor.Errorf(executor.Invalid, "it has an absolute name, and names in an archive are relative to where it is unpacked")
	}
	clean := path.Clean(name)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", executor.Errorf(executor.Invalid, "it leads out of the directory into which the archive is unpacked")
	}
	for dir := path.Dir(clean); dir != "."; dir = path.Dir(dir) {
		if u.links[dir] {
			return "", executor.Errorf(executor.Invalid, "it leads through %s, a link that the archive itself has made", dir)
		}
	}
	return clean, nil
}

// owner returns who will own an entry.
func (u *unpacker) owner(h *tar.Header) (uid, gid int, err error) {
	uid, gid = u.options.UID, u.options.GID
	if u.options.KeepOwners {
		uid, gid = h.Uid, h.Gid
	}
	if uid, err = u.options.IDs.outside(uid, u.options.IDs.UIDs); err == nil {
		gid, err = u.options.IDs.outside(gid, u.options.IDs.GIDs)
	}
	return uid, gid, err
}

// enter opens a directory for entries, and makes it if there is none.
func (u *unpacker) enter(name string) (*os.File, error) {
	if u.parent != nil && u.name == name {
		return u.parent, nil
	}
	u.leave()
	f, err := u.open(name)
	if errors.Is(err, unix.ENOENT) && name != "." {
		parent, perr := u.enter(path.Dir(name))
		if perr != nil {
			return nil, perr
		}
		n := &node{u: u, h: &tar.Header{Mode: 0o755}, parent: parent, base: path.Base(name)}
		if n.uid, n.gid, err = u.owner(n.h); err == nil {
			err = n.directory()
		}
		u.leave()
		if err == nil {
			f, err = u.open(name)
		}
	}
	if err != nil {
		return nil, err
	}
	if check := u.options.Check; check != nil {
		if err := check(f); err != nil {
			_ = f.Close()
			return nil, err
		}
	}
	u.parent, u.name = f, name
	return f, nil
}

func (u *unpacker) open(name string) (*os.File, error) {
	f, err := openAt(u.root.dir, strings.TrimLeft(u.dir+"/"+name, "/"), unix.O_DIRECTORY, u.root.resolve)
	if errors.Is(err, unix.ELOOP) {
		err = executor.Errorf(executor.FailedPrecondition, "it leads through a link that is there already, or through too many of them")
	}
	return f, err
}

func (u *unpacker) leave() {
	if u.parent != nil {
		_ = u.parent.Close()
		u.parent = nil
	}
}

// finish sets the times of directories.
func (u *unpacker) finish() error {
	for _, d := range u.times {
		f, err := u.open(d.name)
		if err != nil {
			continue // it was removed meanwhile
		}
		_ = setTime(f, d.time)
		_ = f.Close()
	}
	return nil
}
