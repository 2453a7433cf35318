package linux

import (
	"os"

	"golang.org/x/sys/unix"
)

// SystemdRuns reports whether systemd runs this machine, by what sd_booted(3) goes by.
func SystemdRuns() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// CgroupsUnified reports whether all controllers are those of cgroup v2.
func CgroupsUnified() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}
