package networks

import (
	"errors"
	"io/fs"
	"os"

	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// pin makes a network namespace that lasts until unpin, even if nothing is in it.
func pin(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY|unix.O_NOFOLLOW, 0o400)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return linux.KeepNetNS(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		return os.NewSyscallError("mount", unix.Mount(linux.NetNS, path, "", unix.MS_BIND, ""))
	})
}

// pinned reports whether there is a namespace at a path. What is left of an interrupted pin,
// or of one before a reboot, is a plain file.
func pinned(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == unix.NSFS_MAGIC
}

// unpin removes what pin makes. The namespace goes once nothing is in it any more. It is no
// error if there is nothing.
func unpin(path string) error {
	for pinned(path) { // a file that is mounted on cannot be removed
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return &os.PathError{Op: "unmount", Path: path, Err: err}
		}
	}
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}
