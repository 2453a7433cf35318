package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/davit-run/davit/shared/executor"
)

// Dir makes sure that path is a directory of exactly this mode and owner. Its parent must
// be trusted. Dir refuses a link in its place.
func Dir(path string, mode fs.FileMode, uid, gid int) error {
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != uid || int(st.Gid) != gid {
		if err := dir.Chown(uid, gid); err != nil {
			return err
		}
	}
	if info.Mode().Perm() != mode {
		return dir.Chmod(mode)
	}
	return nil
}

// Passable lets everybody pass through a directory of this user, to reach their own
// directories in it. They can neither list nor change it.
func Passable(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o011 == 0o011 {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()|0o011)
}

// Reachable checks that a user can pass through all directories on the way to path,
// and through path.
func Reachable(path string, uid, gid int) error {
	if path != "/" {
		if err := Reachable(filepath.Dir(path), uid, gid); err != nil {
			return err
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	bit := fs.FileMode(0o001)
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid {
		bit = 0o100
	} else if ok && int(st.Gid) == gid {
		bit = 0o010
	}
	if info.Mode()&bit == 0 {
		return executor.Errorf(executor.FailedPrecondition, "uid %d cannot pass through %s; chmod o+x it", uid, path)
	}
	return nil
}
