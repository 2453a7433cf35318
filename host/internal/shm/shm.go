// Package shm keeps the shared memory that containers share: for each that lets others have
// its own, a file system in memory in the run directory of the host, which the runtime mounts
// at /dev/shm of all of them.
//
// A container's own /dev/shm, as the runtime makes it, is in the mount namespace of that
// container alone, and cannot be mounted elsewhere. One of the host's outlives the host, is
// there before the container starts, and is found by its path.
package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/davit-run/davit/shared/executor"
	"golang.org/x/sys/unix"
)

// Dirs are the directories of a host, by the ids of containers. Nothing in it is safe for
// concurrent use with one id.
type Dirs struct{ dir string }

// In returns the directories below the run directory of a host.
func In(runDir string) Dirs { return Dirs{filepath.Join(runDir, "shm")} }

// Path returns the directory of a container.
func (d Dirs) Path(id string) string { return filepath.Join(d.dir, id) }

// Mount makes the shared memory of a container, of a size in bytes. What is there already is
// kept, or replaced by an empty one if fresh is set; who has it keeps it.
func (d Dirs) Mount(id string, bytes int64, fresh bool) error {
	path := d.Path(id)
	if fresh {
		if err := d.Unmount(id); err != nil {
			return err
		}
	}
	err := os.MkdirAll(path, 0o700)
	if err == nil && mounted(path) {
		return nil
	}
	if err == nil {
		options := fmt.Sprintf("mode=1777,size=%d", bytes)
		if err = unix.Mount("shm", path, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, options); err != nil {
			err = &os.PathError{Op: "mount", Path: path, Err: err}
		}
	}
	if err != nil {
		return executor.Errorf(executor.Unavailable, "shared memory of container %s: %w", id, err)
	}
	return nil
}

// Unmount removes the shared memory of a container, of which those that have it keep it. It is
// no error if there is none.
func (d Dirs) Unmount(id string) error {
	path := d.Path(id)
	for mounted(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return &os.PathError{Op: "unmount", Path: path, Err: err}
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sweep removes what an earlier host has left of containers that do not keep theirs.
func (d Dirs) Sweep(keeps func(id string) bool) error {
	entries, err := os.ReadDir(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if !keeps(entry.Name()) {
			err = errors.Join(err, d.Unmount(entry.Name()))
		}
	}
	return err
}

// mounted reports whether a file system in memory is mounted at a path.
func mounted(path string) bool {
	var own, above unix.Stat_t
	var fs unix.Statfs_t
	return unix.Lstat(path, &own) == nil && unix.Lstat(filepath.Dir(path), &above) == nil && own.Dev != above.Dev &&
		unix.Statfs(path, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}
