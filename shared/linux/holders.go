package linux

import (
	"os"
	"path/filepath"
	"strconv"
)

// HasOpen reports whether a process has the file at path open.
func HasOpen(pid int, path string) bool {
	want, err := os.Stat(path)
	if err != nil {
		return false
	}
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		if got, err := os.Stat(filepath.Join(dir, fd.Name())); err == nil && os.SameFile(got, want) {
			return true
		}
	}
	return false
}

// FindHolders returns the processes, other than this one, that have the file at path open.
// The caller closes them.
func FindHolders(path string) ([]*Process, error) {
	return FindProcesses(func(pid int) bool { return HasOpen(pid, path) })
}
