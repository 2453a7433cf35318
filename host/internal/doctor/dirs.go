package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/davit-run/davit/shared/trust"
	"golang.org/x/sys/unix"
)

var _ = add(60, "directories", lookAtDirs)

func lookAtDirs(_ context.Context, p *Patient, r *report) {
	c := p.Config
	own := map[string]bool{c.StateDir: true, c.RunDir: true}
	for _, dir := range append([]string{c.StateDir, c.RunDir}, c.ExecutorDirs...) {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && own[dir]:
			r.ok("%s is not there yet; the host makes it", dir)
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue // one of several places
		case err != nil:
			r.unread(dir, err)
			continue
		case !info.IsDir():
			r.fail("remove it, or name another one in the config", "%s is no directory", dir)
			continue
		}
		_, err = trust.File(dir)
		switch {
		case errors.Is(err, fs.ErrPermission):
			r.unread(dir, err)
			continue
		case err != nil:
			r.fail("", "%v", err)
			continue
		}
		if mode := info.Mode().Perm(); dir == c.StateDir && mode&0o007 != 0 {
			r.warn("chmod o= "+dir, "%s has the mode %04o: others see what it holds, such as environments of containers", dir, mode)
			continue
		}
		r.ok("%s", dir)
	}
	p.lookAtSystem(r)
}

// lookAtSystem looks at the file system of the state.
func (p *Patient) lookAtSystem(r *report) {
	dir := existing(p.Config.StateDir)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		r.unread("file system of "+dir, err)
		return
	}
	const move = "name a state_dir on a file system of a disk, such as ext4 or xfs"
	switch st.Type {
	case unix.OVERLAYFS_SUPER_MAGIC:
		r.warn(move+", or mount a volume there if this is a container", "%s is on an overlay file system: there, images cannot be run, nor --rootfs DIR:O", dir)
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		r.warn(move, "%s is in memory: records, images and output are gone after a reboot", dir)
	case unix.NFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC:
		r.warn(move, "%s is on a network's or a user's file system (%s): locks and holes of files may not work", dir, fmt.Sprintf("type %#x", st.Type))
	default:
		r.ok("the state is on a file system of a disk")
	}
}

// existing returns a directory or the nearest one above it that there is.
func existing(dir string) string {
	for dir != "/" && dir != "." {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			return dir
		}
		dir = parent(dir)
	}
	return dir
}
