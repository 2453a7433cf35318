package containerd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/api/types"
	"github.com/davit-run/davit/shared/executor"
	"github.com/davit-run/davit/shared/linux"
	"golang.org/x/sys/unix"
)

// mountFlags are options of mounts that are flags.
var mountFlags = map[string]uintptr{
	"rw": 0, "defaults": 0, "ro": unix.MS_RDONLY, "bind": unix.MS_BIND, "rbind": unix.MS_BIND | unix.MS_REC,
	"nodev": unix.MS_NODEV, "nosuid": unix.MS_NOSUID, "noexec": unix.MS_NOEXEC,
	"noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME, "relatime": unix.MS_RELATIME, "sync": unix.MS_SYNCHRONOUS,
}

// mountAt mounts a snapshot at a directory. A snapshot that needs more than one mount, or
// one that the kernel does not make alone, is [executor.Unsupported].
func mountAt(path string, mounts []*types.Mount) error {
	if len(mounts) != 1 {
		return executor.Errorf(executor.Unsupported, "the snapshot needs %d mounts, which only containerd makes", len(mounts))
	}
	m := mounts[0]
	var flags uintptr
	var data []string
	for _, option := range m.GetOptions() {
		if flag, ok := mountFlags[option]; ok {
			flags |= flag
		} else {
			data = append(data, option)
		}
	}
	kind := m.GetType()
	switch {
	case flags&unix.MS_BIND != 0:
		kind = ""
	case kind == "" || strings.ContainsAny(kind, "/.") || m.GetTarget() != "" || contains(data, "loop"):
		return executor.Errorf(executor.Unsupported, "the snapshot's mount is of the type %q, which only containerd makes", m.GetType())
	}
	dir := "/"
	if kind == "overlay" {
		dir, data = shorten(data)
	}
	options := strings.Join(data, ",")
	if len(options) >= os.Getpagesize() {
		return executor.Errorf(executor.Unsupported, "the options of the snapshot's mount have %d bytes, which the kernel does not take", len(options))
	}
	err := linux.InDir(dir, func() error {
		if err := unix.Mount(m.GetSource(), path, kind, flags, options); err != nil || flags&unix.MS_BIND == 0 || flags&unix.MS_RDONLY == 0 {
			return err
		}
		return unix.Mount("", path, "", flags|unix.MS_REMOUNT, "")
	})
	if err != nil {
		return executor.Errorf(executor.Unsupported, "the snapshot's mount of the type %q: %w", m.GetType(), err)
	}
	return nil
}

func contains(data []string, name string) bool {
	for _, option := range data {
		if key, _, _ := strings.Cut(option, "="); key == name {
			return true
		}
	}
	return false
}

// shorten makes the lower directories of an overlay relative to one that they have in
// common: the options of a mount have to fit into a page.
func shorten(data []string) (dir string, short []string) {
	short = append(short, data...)
	for i, option := range data {
		lower, ok := strings.CutPrefix(option, "lowerdir=")
		if !ok || strings.Contains(lower, `\`) {
			continue
		}
		dirs := strings.Split(lower, ":")
		for _, d := range dirs {
			if !filepath.IsAbs(d) {
				return "/", data
			}
			if dir == "" {
				dir = filepath.Dir(d)
			}
			for dir != "/" && !strings.HasPrefix(d, dir+"/") {
				dir = filepath.Dir(dir)
			}
		}
		for j := range dirs {
			dirs[j] = strings.TrimPrefix(strings.TrimPrefix(dirs[j], dir), "/")
		}
		short[i] = "lowerdir=" + strings.Join(dirs, ":")
	}
	if dir == "" {
		dir = "/"
	}
	return dir, short
}

// isMounted reports whether something is mounted at a path. Its device does not show that:
// a snapshot may be a directory of the same file system.
func isMounted(path string) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return false, fmt.Errorf("the kernel does not say whether something is mounted at %s: use Linux 5.8 or later", path)
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// unmount unmounts all that is mounted at a path. Whoever has a file of it open may keep
// it.
func unmount(path string) error {
	for {
		mounted, err := isMounted(path)
		if !mounted || err != nil {
			return err
		}
		if err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return &fs.PathError{Op: "unmount", Path: path, Err: err}
		}
	}
}
