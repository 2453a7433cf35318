package ocispec

import (
	"errors"
	"path/filepath"
	"slices"

	"github.com/davit-run/davit/shared/linux"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// EtcFiles returns the names of the files below /etc that the host makes for each
// container: what they hold depends on the container, not on its root file system.
func EtcFiles() []string { return []string{"hostname", "hosts", "resolv.conf"} }

// etcMounts returns the bind mounts of the files in o.Etc. A mount of the user's at the
// same place, or of all of /etc, is the user's choice. A file that the root file system
// has no place for, and that cannot be made there, is left out.
func (o *Options) etcMounts(rootfs string) []specs.Mount {
	if o.Etc == "" {
		return nil
	}
	var mounts []specs.Mount
	for _, name := range EtcFiles() {
		at := "/etc/" + name
		taken := slices.ContainsFunc(o.Mounts, func(m specs.Mount) bool {
			to := filepath.Clean(m.Destination)
			return to == at || to == "/etc"
		})
		if taken || !hasPlace(rootfs, at) {
			continue
		}
		mounts = append(mounts, specs.Mount{
			Destination: at, Type: "bind", Source: filepath.Join(o.Etc, name), Options: []string{"rbind", "rprivate"},
		})
	}
	return mounts
}

// hasPlace reports whether a root file system has a file at a path, as a process within
// sees it, or can be given one.
func hasPlace(rootfs, path string) bool {
	dir, err := unix.Open(rootfs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true // others find what is wrong
	}
	defer unix.Close(dir)
	fd, err := linux.Openat2(dir, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err == nil {
		defer unix.Close(fd)
		var st unix.Stat_t
		return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
	}
	return !errors.Is(unix.Faccessat(dir, ".", unix.W_OK, 0), unix.EROFS)
}
