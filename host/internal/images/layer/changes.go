package layer

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// Kind is what became of a file.
type Kind int

// Kinds of changes.
const (
	Changed Kind = iota
	Added
	Deleted
)

// Change is what became of a file.
type Change struct {
	Path string // absolute
	Kind Kind
}

// Changes returns what an upper directory of overlay changes of trees, the lowest first, in
// the order of the paths. A directory has changed if its owner or mode has, or something
// below it. What is added at a path for which skip returns true is left out. The directory
// may change meanwhile.
func Changes(ctx context.Context, upper string, trees []string, skip func(path string) bool) ([]Change, error) {
	lower, err := openBelow(trees)
	if err != nil {
		return nil, err
	}
	defer lower.close()
	fd, err := unix.Open(upper, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, disk(os.NewSyscallError("open", err))
	}
	c := &changes{ctx: ctx, below: lower, skip: skip}
	if err := c.directory(fd, "/", false); err != nil {
		return nil, err
	}
	return c.list, nil
}

type changes struct {
	ctx   context.Context // of one walk
	below *below
	skip  func(string) bool
	list  []Change
}

func (c *changes) add(path string, kind Kind) { c.list = append(c.list, Change{path, kind}) }

// directory walks a directory, and closes it. alone says that it is in one that hides what
// is below.
func (c *changes) directory(fd int, at string, alone bool) error {
	dir := os.NewFile(uintptr(fd), at)
	defer dir.Close()
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return disk(err)
	}
	opaque, err := isOpaque(fd, ".")
	if err != nil {
		return err
	}
	alone = alone || opaque
	if alone { // what is not here is deleted
		below, err := c.below.names(at)
		if err != nil {
			return err
		}
		names = append(names, below...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := c.entry(fd, name, path.Join(at, name), alone); err != nil {
			return err
		}
	}
	return nil
}

// entry looks at what a directory has of a name, which may be nothing.
func (c *changes) entry(dir int, name, at string, alone bool) error {
	was, existed, err := c.below.find(at)
	if err != nil {
		return err
	}
	var is unix.Stat_t
	err = unix.Fstatat(dir, name, &is, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return disk(err)
	}
	if err != nil || isWhiteout(is) {
		if existed {
			c.add(at, Deleted)
		}
		return nil
	}
	if !existed && c.skip(at) {
		return nil
	}
	self := len(c.list)
	c.add(at, Changed)
	if !existed {
		c.list[self].Kind = Added
	}
	if is.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	fd, err := unix.Openat(dir, name, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil // it was replaced meanwhile
	}
	if err != nil {
		return disk(err)
	}
	if err := c.directory(fd, at, alone); err != nil {
		return err
	}
	same := existed && was.st.Mode == is.Mode && was.st.Uid == is.Uid && was.st.Gid == is.Gid
	if same && len(c.list) == self+1 {
		c.list = c.list[:self]
	}
	return nil
}

// names returns what there is in a directory of the layers below.
func (b *below) names(at string) ([]string, error) {
	var all []string
	for _, fd := range b.fds {
		dir, err := openBeneath(fd, at)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			continue
		}
		if err != nil {
			return nil, disk(err)
		}
		names, err := dir.Readdirnames(-1)
		_ = dir.Close()
		if err != nil {
			return nil, disk(err)
		}
		all = append(all, names...)
	}
	return all, nil // find knows which of them are hidden
}

func openBeneath(fd int, at string) (*os.File, error) {
	dir, err := linux.Openat2(fd, "."+at, &unix.OpenHow{Flags: unix.O_DIRECTORY | unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(dir), at), nil
}
