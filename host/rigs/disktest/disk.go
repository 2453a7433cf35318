// Package disktest makes small file systems that fill up when a test or a storm
// says so, that fail, or whose power is cut. It needs root.
package disktest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Disk is a file system of its own, in memory.
type Disk struct{ dir string }

// fillFile takes the room of a disk that is full.
const fillFile = ".full"

// Mount mounts a disk of size bytes on a directory, which it makes. What the
// directory held is copied to the disk, so that it can be mounted on one that is
// in use, while nothing writes there.
func Mount(dir string, size int64) (*Disk, error) {
	staging, err := os.MkdirTemp("", "dvdisk")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(staging) }()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := unix.Mount("davit-disktest", staging, "tmpfs", 0, fmt.Sprintf("mode=700,size=%d", size)); err != nil {
		return nil, fmt.Errorf("mounting a disk on %s: %w", dir, err)
	}
	err = os.CopyFS(staging, os.DirFS(dir))
	if err == nil {
		err = unix.Mount(staging, dir, "", unix.MS_MOVE, "")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mounting a disk on %s: %w", dir, err), unix.Unmount(staging, 0))
	}
	return &Disk{dir}, nil
}

// Fill leaves no room. Filling again takes what was freed meanwhile.
func (d *Disk) Fill() error {
	f, err := os.OpenFile(filepath.Join(d.dir, fillFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	for chunk := make([]byte, 64<<10); ; {
		_, err := f.Write(chunk)
		switch {
		case err == nil:
		case !errors.Is(err, unix.ENOSPC):
			return err
		case len(chunk) > 1:
			chunk = chunk[:len(chunk)/2]
		default:
			return nil
		}
	}
}

// Free removes what Fill wrote.
func (d *Disk) Free() error {
	err := os.Remove(filepath.Join(d.dir, fillFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Used returns how many bytes are taken.
func (d *Disk) Used() (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(d.dir, &st)
	return int64(st.Blocks-st.Bfree) * int64(st.Bsize), err
}

// Unmount removes the disk with all that is on it. Files that are open stay until
// they are closed.
func (d *Disk) Unmount() error { return unix.Unmount(d.dir, unix.MNT_DETACH) }
